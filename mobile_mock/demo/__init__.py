"""The demonstration: the main job from outside, by command line and HTTP only, checked against the truth."""
