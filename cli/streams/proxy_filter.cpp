#include "cli/streams/proxy_filter.h"

#include <algorithm>

namespace keelson::cli::streams {
namespace {

// The matcher needs stack for every character.
constexpr std::size_t kLongestText = 8192;

Result<std::vector<std::regex>> read_patterns(const std::string& text) {
    std::vector<std::regex> patterns;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string one = text.substr(begin, end - begin);
        try {
            patterns.emplace_back(one);
        } catch (const std::regex_error&) {
            return fail("\"" + one + "\" is no regular expression");
        }
        begin = end + 1;
    }
    return patterns;
}

bool is_found(const std::string& text, const std::vector<std::regex>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::regex& pattern) { return std::regex_search(text, pattern); });
}

// "[::1]:8001" is "[::1]"
std::string without_port(const std::string& host) {
    const std::size_t colon = host.rfind(':');
    const bool is_port = colon != std::string::npos && host.find(']', colon) == std::string::npos &&
                         (host.starts_with('[') || host.find(':') == colon);
    return is_port ? host.substr(0, colon) : host;
}

}  // namespace

Result<ProxyFilter> ProxyFilter::make(const Rules& rules) {
    ProxyFilter filter;
    for (const auto& [text, patterns] : {std::pair{&rules.accept_hosts, &filter.accept_hosts_},
                                         std::pair{&rules.accept_paths, &filter.accept_paths_},
                                         std::pair{&rules.reject_methods, &filter.reject_methods_},
                                         std::pair{&rules.reject_paths, &filter.reject_paths_}}) {
        auto read = read_patterns(*text);
        if (!read) return pass_on(read);
        *patterns = std::move(*read);
    }
    return filter;
}

bool ProxyFilter::accepts(const std::string& method, const std::string& path, const std::string& host) const {
    if (path.size() > kLongestText || host.size() > kLongestText) return false;
    return !is_found(path, reject_paths_) && !is_found(method, reject_methods_) &&
           is_found(path, accept_paths_) && is_found(without_port(host), accept_hosts_);
}

}  // namespace keelson::cli::streams
