// Which requests "keelctl proxy" passes on: whoever can reach it acts as its user, web pages in a browser of
// this machine too.
#pragma once

#include <regex>
#include <string>
#include <vector>

#include "cli/result.h"

namespace keelson::cli::streams {

class ProxyFilter {
  public:
    // Comma separated regular expressions, each found anywhere in its text. A request has to be accepted by
    // its path and its host, and to be rejected by neither its path nor its method.
    struct Rules {
        std::string accept_hosts, accept_paths, reject_methods, reject_paths;
    };
    static Result<ProxyFilter> make(const Rules& rules);

    // `host` is the Host header, with or without a port; `path` is decoded and has no query.
    [[nodiscard]] bool accepts(const std::string& method, const std::string& path,
                               const std::string& host) const;

  private:
    using Patterns = std::vector<std::regex>;
    Patterns accept_hosts_, accept_paths_, reject_methods_, reject_paths_;
};

}  // namespace keelson::cli::streams
