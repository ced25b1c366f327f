"""Stand-ins for the world outside the platform: partner traffic, an identity provider, a phone page. HTTP only."""
