"""The phone side of a demonstration: `python -m mobile_mock.server --port 8100 --api-base http://127.0.0.1:8000`.

The platform must know this provider and let its page in:
TANPUHUI_IDENTITY_URL and TANPUHUI_CORS_ORIGINS = http://127.0.0.1:8100, TANPUHUI_IDENTITY_APPID and _SECRET as below;
to pay through the stand-in payment provider, TANPUHUI_PAYMENT_URL as well, with TANPUHUI_PAYMENT_MERCHANT and _SECRETS.
"""

from __future__ import annotations

import click
from flask import Flask
from werkzeug.serving import make_server

from mobile_mock.identity import provider
from mobile_mock.payment import provider as payments
from mobile_mock.phone import pages

APPID = "wx-tanpuhui-demo"
SECRET = "a-secret-between-stand-ins"
MERCHANT = "tanpuhui-demo"
PAYMENT_SECRET = "a-secret-between-stand-ins-for-payments"


def create_app(
    api_base: str, appid: str = APPID, secret: str = SECRET, merchant: str = MERCHANT,
    payment_secret: str = PAYMENT_SECRET,
) -> Flask:  # fmt: skip
    """The stand-in providers and the phone page in one application."""
    app = Flask("mobile_mock", static_folder=None)
    app.register_blueprint(provider.blueprint(appid, secret))
    app.register_blueprint(payments.blueprint(merchant, payment_secret))
    app.register_blueprint(pages.blueprint(api_base.rstrip("/")))
    return app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8100, show_default=True, help="0 takes a free one.")
@click.option("--api-base", default="http://127.0.0.1:8000", show_default=True, help="The platform's base URL.")
@click.option("--appid", default=APPID, envvar="TANPUHUI_IDENTITY_APPID", show_default=True)
@click.option("--secret", default=SECRET, envvar="TANPUHUI_IDENTITY_SECRET", help="The mini-program's secret.")
@click.option("--merchant", default=MERCHANT, envvar="TANPUHUI_PAYMENT_MERCHANT", show_default=True)
@click.option(
    "--payment-secrets", default=PAYMENT_SECRET, envvar="TANPUHUI_PAYMENT_SECRETS", help="Only the first is used."
)
def main(
    host: str, port: int, api_base: str, appid: str, secret: str, merchant: str, payment_secrets: str
) -> None:  # fmt: skip
    """Serve the stand-in providers and the phone page. 启动演示用的身份服务、支付服务与手机页面。"""
    payment_secret = payment_secrets.split(",")[0].strip()
    server = make_server(host, port, create_app(api_base, appid, secret, merchant, payment_secret), threaded=True)
    click.echo(f"http://{host}:{server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
