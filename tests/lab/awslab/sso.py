# SPDX-License-Identifier: Apache-2.0
"""IAM Identity Center as far as a program needs it: the portal's GetRoleCredentials and the OIDC service's CreateToken, which
refreshes. Both are asked at the lab's own endpoint and not signed; fault rules go by these names.

The tokens with which a login begins are in DIR/identities.json. Each refresh gives new ones; the old refresh token stays good.
"""
import calendar
import json
import secrets

from .sessions import new_session

ACTIONS = {("GET", "/federation/credentials"): ("GetRoleCredentials", "sso"), ("POST", "/token"): ("CreateToken", "sso-oidc")}
HOURS = 3600
STATUS = {"UnauthorizedException": 401, "ResourceNotFoundException": 404, "ForbiddenException": 403, "InvalidClientException": 401}
# The OIDC service says what is wrong in OAuth's words too.
OAUTH = {"InvalidGrantException": "invalid_grant", "InvalidClientException": "invalid_client",
         "ExpiredTokenException": "expired_token", "InvalidRequestException": "invalid_request",
         "UnsupportedGrantTypeException": "unsupported_grant_type"}


class Refusal(Exception):
    """Code and message."""


class Portal:
    """The logins, and the roles that they give."""

    start_url = "https://lab.awsapps.example/start"
    user = "alice"

    def __init__(self, sessions, region):
        self.sessions, self.region = sessions, region
        self.roles = {}  # by account and name
        self.client = (secrets.token_urlsafe(16), secrets.token_urlsafe(32))
        self._access, self._refresh = {}, set()

    def login(self, seconds=8 * HOURS):
        """Access and refresh token, as a person who logs in gets them."""
        access, refresh = secrets.token_urlsafe(40), secrets.token_urlsafe(40)
        self._access[access] = self.sessions.now() + seconds
        self._refresh.add(refresh)
        return access, refresh

    def ask(self, call, headers, body):
        """The answer to a call, or a Refusal."""
        if call.action == "CreateToken":
            return self._create_token(body)
        return self._role_credentials(headers.get("x-amz-sso_bearer_token"), call.params)

    def _role_credentials(self, token, params):
        if self._access.get(token, 0) <= self.sessions.now():
            raise Refusal("UnauthorizedException", "Session token not found or invalid")
        account, name = params.get("account_id"), params.get("role_name")
        if not account or not name:
            raise Refusal("InvalidRequestException", "account_id and role_name are needed")
        if account not in [a for a, _ in self.roles]:
            raise Refusal("ResourceNotFoundException", "Account not found")
        if (account, name) not in self.roles:
            raise Refusal("ForbiddenException", "No access")
        made = new_session(self.roles[account, name], self.user, self.region, HOURS)
        return {"roleCredentials": {"accessKeyId": made.access_key_id, "secretAccessKey": made.secret_access_key,
                                    "sessionToken": made.session_token,
                                    "expiration": calendar.timegm(made.expiration.timetuple()) * 1000}}

    def _create_token(self, body):
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise Refusal("InvalidRequestException", "Invalid request") from error
        if (asked.get("clientId"), asked.get("clientSecret")) != self.client:
            raise Refusal("InvalidClientException", "Invalid client provided")
        if asked.get("grantType") != "refresh_token":
            raise Refusal("UnsupportedGrantTypeException", "Unsupported grant type provided")
        if asked.get("refreshToken") not in self._refresh:
            raise Refusal("InvalidGrantException", "Invalid refresh token provided")
        access, refresh = self.login()
        return {"accessToken": access, "expiresIn": 8 * HOURS, "refreshToken": refresh, "tokenType": "Bearer"}


def error_body(service, code, message):
    """An error's body."""
    if service == "sso-oidc":
        return {"error": OAUTH.get(code, "server_error"), "error_description": message}
    return {"__type": f"com.amazonaws.switchboard.portal#{code}", "message": message}
