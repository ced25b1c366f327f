"""Ed25519 in pure Python gives the verdicts of RFC 8032 and of `cryptography`; stricter only with keys nobody has."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from rewards.ed25519 import is_ed25519

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
TEST_1024 = """
08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb143
3ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65
d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6d
ad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68
a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce
81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a
1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fa
d878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a
7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504
df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e6
66c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06e
eff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b
68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7
276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342
721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b111
6398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1
369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64
dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0
"""
VECTORS = {  # RFC 8032, 7.1: secret, public, message, signature
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    "TEST 1024": (
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        TEST_1024,
        "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b"
        "5e8fcd4f681e30a6ac00a9704a188a03",
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        "454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
}
BASE = bytes.fromhex("58" + "66" * 31)
EIGHTH_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
TORSION_Y = (0, 1, PRIME - 1, EIGHTH_Y, PRIME - EIGHTH_Y)  # of the points of small order


def theirs(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def written(y: int, odd: int) -> bytes:
    return (y | odd << 255).to_bytes(32, "little")


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_rfc_are_signatures_and_with_any_bit_changed_are_not(name: str) -> None:
    secret, public, message, signature = map(bytes.fromhex, VECTORS[name])
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert (key.public_key().public_bytes_raw(), key.sign(message)) == (public, signature)
    assert is_ed25519(public, message, signature)
    assert not is_ed25519(public, message + b"x", signature)
    for bit in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_ed25519(public, message, bytes(flipped))
    for other in VECTORS:
        if other != name:
            assert not is_ed25519(bytes.fromhex(VECTORS[other][1]), message, signature)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_what_any_key_signs_is_a_signature(secret: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert is_ed25519(key.public_key().public_bytes_raw(), message, key.sign(message))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255 + 512 + 80), st.integers(0, 2))
def test_with_a_bit_changed_anywhere_the_verdict_is_that_of_cryptography(secret: bytes, bit: int, more: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    message = b"a message " + bytes([more])
    whole = bytearray(key.public_key().public_bytes_raw() + key.sign(message) + message)
    whole[bit // 8] ^= 1 << bit % 8
    public, signature, message = bytes(whole[:32]), bytes(whole[32:96]), bytes(whole[96:])
    assert not is_ed25519(public, message, signature)
    assert not theirs(public, message, signature)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.binary(max_size=8))
def test_bytes_that_nobody_signed_are_no_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """Where cryptography takes them, the key is of small order."""
    assert not is_ed25519(public, message, signature)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 7))
def test_a_signature_has_one_form_only(secret: bytes, times: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"once")
    more = int.from_bytes(signature[32:], "little") + times * ORDER
    again = signature[:32] + more.to_bytes(32, "little")
    assert not theirs(public, b"once", again)
    assert not is_ed25519(public, b"once", again)


@pytest.mark.parametrize("lengths", [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0), (32, 0)])
def test_what_is_too_short_or_too_long_is_refused(lengths: tuple[int, int]) -> None:
    _, public, message, signature = map(bytes.fromhex, VECTORS["TEST 2"])
    assert not is_ed25519((public * 2)[: lengths[0]], message, (signature * 2)[: lengths[1]])


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("y", TORSION_Y)
def test_a_key_of_small_order_signs_nothing_although_cryptography_may_let_it(y: int, odd: int) -> None:
    """Under such a key R = S x B holds for one message in eight at least, whoever made it."""
    signature = BASE + (1).to_bytes(32, "little")
    messages = [bytes([n]) for n in range(64)]
    if y != 1 or not odd:
        assert any(theirs(written(y, odd), message, signature) for message in messages)
    assert not any(is_ed25519(written(y, odd), message, signature) for message in messages)


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("y", range(19))
def test_a_point_in_another_than_its_one_form_is_none(y: int, odd: int) -> None:
    """y + p is the same field element as y, and fits into 255 bits for these alone."""
    for message in map(bytes, ([n] for n in range(8))):
        assert not is_ed25519(written(y + PRIME, odd), message, BASE + (1).to_bytes(32, "little"))
        assert not is_ed25519(BASE, message, written(y + PRIME, odd) + (1).to_bytes(32, "little"))
        assert not theirs(BASE, message, written(y + PRIME, odd) + (1).to_bytes(32, "little"))


def test_bytes_that_are_no_point_are_no_key() -> None:
    assert not is_ed25519(written(2, 0), b"", BASE + bytes(32))  # no x has y = 2
    assert not is_ed25519(written(1, 1), b"", BASE + bytes(32))  # x = 0 has no odd form
