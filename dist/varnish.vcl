vcl 4.1;
# Varnish in front of weir: a cache that carries the viewers (Debian 12's 7.1 and later):
#   varnishd -f /path/to/varnish.vcl -a :8000 -s malloc,2G
# One request for each playlist state, part and segment reaches weir; all who asked for it meanwhile are woken with its answer.
import std;

backend weir {
    .host = "127.0.0.1"; # EDIT
    .port = "8080";      # EDIT
    # a request may wait for three target durations
    .first_byte_timeout = 120s;
    .between_bytes_timeout = 20s;
}

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # EDIT: what is for operators stays inside
    if (req.url ~ "^/metrics") {
        return (synth(403));
    }
    unset req.http.Cookie;
    # Only what means something is part of the name of a thing, and only that is sent on: an unknown or doubled parameter can neither
    # split the cache nor put a wrong answer under another's name. What is no number becomes one and the same 400.
    set req.http.Weir-Query = "";
    if (req.url ~ "[?&]_HLS_msn=[0-9]{1,19}(&|$)") {
        set req.http.Weir-Query = "?_HLS_msn=" + regsub(req.url, "^.*[?&]_HLS_msn=([0-9]{1,19})(&.*)?$", "\1");
    } elsif (req.url ~ "[?&]_HLS_msn(=|&|$)") {
        set req.http.Weir-Query = "?_HLS_msn=x";
    }
    if (req.url ~ "[?&]_HLS_part=[0-9]{1,9}(&|$)") {
        set req.http.Weir-Query = req.http.Weir-Query + "&_HLS_part=" + regsub(req.url, "^.*[?&]_HLS_part=([0-9]{1,9})(&.*)?$", "\1");
    } elsif (req.url ~ "[?&]_HLS_part(=|&|$)") {
        set req.http.Weir-Query = req.http.Weir-Query + "&_HLS_part=x";
    }
    if (req.url ~ "[?&]_HLS_skip=(YES|v2)(&|$)") {
        set req.http.Weir-Query = req.http.Weir-Query + "&_HLS_skip=" + regsub(req.url, "^.*[?&]_HLS_skip=(YES|v2)(&.*)?$", "\1");
    }
    set req.url = regsub(req.url, "\?.*$", "") + regsub(req.http.Weir-Query, "^&", "?");
    unset req.http.Weir-Query;
    # EDIT: delete this line when delivery.origins in weir is not "*"
    unset req.http.Origin;
    # Viewers behind a cache are not seen by weir. One playlist request in a hundred is let through for it to estimate them from.
    set req.http.Weir-Sample = "0";
    if (req.url ~ "\.m3u8(\?|$)" && std.random(0, 100) < 1) {
        set req.http.Weir-Sample = "1";
        return (pass);
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_response {
    # an old playlist is wrong unless weir says otherwise: Varnish reads stale-while-revalidate into grace
    if (beresp.http.Cache-Control !~ "stale-while-revalidate") {
        set beresp.grace = 0s;
    }
    set beresp.keep = 0s;
    # not cached, and not remembered as uncacheable either: it may be there a moment later
    if (beresp.http.Cache-Control ~ "no-store" && (beresp.status == 404 || beresp.status == 503)) {
        set beresp.ttl = 0s;
        return (deliver);
    }
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
    unset resp.http.Via;
    unset resp.http.X-Varnish;
}
