#!/bin/sh
# The page tests want a real browser. Install Debian's where that is possible; else those tests say why they skip.
command -v chromium >/dev/null || command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
    || echo "no browser could be installed; the page tests will be skipped" >&2
fi
exit 0
