"""What names, connections, TLS and proxies say on the way, by the rule it leads to."""
# ruff: noqa: E501  (replies are shown as servers send them)

from __future__ import annotations

# rule, or rule@stage, then a wording; each rule has two or more.
NETWORK = r"""
resolve | [Errno -2] Name or service not known
resolve | socket.gaierror: [Errno 11001] getaddrinfo failed
refused | ConnectionRefusedError: [Errno 111] Connection refused
refused | [WinError 10061] the target machine actively refused it
no_route | OSError: [Errno 113] No route to host
no_route | dial tcp 203.0.113.9:587: connect: network is unreachable
connect_slow | TimeoutError: [Errno 110] Connection timed out
connect_slow | Connection to login.example timed out. (connect timeout=10)
timeout_at_connect@tcp | timed out
timeout_at_connect@dns | the lookup: Timeout
timeout_at_stage@auth | timed out
timeout_at_stage@greeting | TimeoutError('The read operation timed out')
read_slow | HTTPSConnectionPool(host='x.example', port=443): Read timed out. (read timeout=20)
read_slow | httpx.ReadTimeout
timeout_somewhere | timed out
timeout_somewhere | the probe has timed out after a while
proxy_certificate | certificate verify failed; issuer: CN=Zscaler Intermediate Root CA
proxy_certificate | TLS certificate of mail.example is issued by FortiGate CA
certificate_dates | [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired
certificate_dates | certificate verify failed: certificate is not yet valid (_ssl.c:1006)
certificate_chain | [SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate (_ssl.c:1006)
certificate_chain | certificate verify failed: self-signed certificate in certificate chain
certificate_name | CERTIFICATE_VERIFY_FAILED: Hostname mismatch, certificate is not valid for 'a.example'.
certificate_name | hostname 'a.example' doesn't match 'b.example'
certificate | [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)
certificate | ssl.SSLCertVerificationError
web_page | <!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>
web_page | <HTML><BODY><h1>403 Forbidden</h1> Connection refused</BODY></HTML>
web_page_reported | Content type text/html does not have a factory registered to be parsed
web_page_reported | unexpected Content-Type: text/html; charset=utf-8
dropped | Connection unexpectedly closed
dropped | ('Connection aborted.', RemoteDisconnected('Remote end closed connection'))
"""
