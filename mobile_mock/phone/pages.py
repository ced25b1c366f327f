"""Serves the page. It holds no data: everything it shows, it asks the platform for over HTTP."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, jsonify, send_from_directory

STATIC = Path(__file__).parent / "static"
ASSETS = Path(__file__).parents[2] / "build" / "assets"  # others' files: WeUI, preact, the font; see ./run


def blueprint(api_base: str) -> Blueprint:
    """The page's routes; it may load from here and talk to here and to `api_base`, and nothing else."""
    routes = Blueprint("phone", __name__)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {api_base}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )

    @routes.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @routes.get("/")
    def show_page() -> Response:
        return send_from_directory(STATIC, "index.html")

    @routes.get("/config.json")
    def show_config() -> Response:
        return jsonify(apiBase=api_base, provider="wechat")

    @routes.get("/assets/<name>")
    def send_asset(name: str) -> Response:
        return send_from_directory(ASSETS, name, max_age=86400)

    @routes.get("/<path:name>")
    def send_file(name: str) -> Response:
        return send_from_directory(STATIC, name)

    return routes
