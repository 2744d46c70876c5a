"""How requests to OSS take what the environment says: its proxies and certificates once, and no password."""

from __future__ import annotations

from typing import Any

import oss2


class OssSession(oss2.Session):  # type: ignore[misc]
    """oss2's session, for one host.

    requests reads the environment anew for each call, which is a tenth of what a list page costs, and sends a password of ~/.netrc, where that
    has one for the host, in the place of the signature.
    """

    def do_request(self, req: Any, timeout: Any) -> Any:
        """As oss2's."""
        session = self.session
        if session.trust_env:
            found = session.merge_environment_settings(req.url, {}, None, None, None)
            session.proxies, session.verify = found["proxies"], found["verify"]
            session.trust_env = False
        return super().do_request(req, timeout)
