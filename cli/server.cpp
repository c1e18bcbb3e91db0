#include "cli/server.h"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

namespace keelson::cli {
namespace {

constexpr std::uint16_t kDefaultPort = 6444;

// Why the socket cannot be used; empty when it can.
std::string obstacle(const std::string& socket_path) {
    if (socket_path.size() >= sizeof(sockaddr_un::sun_path)) return "its path is too long for a socket";
    return ::access(socket_path.c_str(), R_OK | W_OK) == 0 ? "" : std::strerror(errno);
}

Result<std::string> read_token(const std::string& path) {
    std::ifstream file(path);
    std::string token;
    if (!(file >> token))
        return fail(path + ": " + (errno != 0 ? std::strerror(errno) : "there is no token"));
    return token;
}

tl::unexpected<Failure> bad_url(const std::string& url) {
    return fail("--admin must be like https://HOST:6444, not '" + url + "'", exit_usage);
}

Result<void> read_url(const std::string& url, Server& server) {
    constexpr std::string_view kScheme = "https://";
    if (!url.starts_with(kScheme)) return bad_url(url);
    std::string rest = url.substr(kScheme.size());
    if (rest.ends_with('/')) rest.pop_back();
    const bool is_bracketed = rest.starts_with('[');
    const std::size_t end = is_bracketed ? rest.find(']') : rest.find(':');
    if (is_bracketed && end == std::string::npos) return bad_url(url);
    server.host = is_bracketed ? rest.substr(1, end - 1) : rest.substr(0, end);
    const std::string port = end == std::string::npos ? "" : rest.substr(end + (is_bracketed ? 1 : 0));
    server.port = kDefaultPort;
    if (server.host.empty() || server.host.find_first_of("/@?#") != std::string::npos) return bad_url(url);
    if (port.empty()) return {};
    const char* last = port.data() + port.size();
    const auto [at, error] = std::from_chars(port.data() + 1, last, server.port);
    if (port[0] != ':' || error != std::errc() || at != last || server.port == 0) return bad_url(url);
    return {};
}

Result<Server> over_port(const ServerOptions& options, const std::string& url, const std::string& looked) {
    Server server;
    if (auto good = read_url(url, server); !good) return tl::unexpected(good.error());
    errno = 0;
    auto token =
        read_token(options.token_file.empty() ? options.data_directory + "/admin.token" : options.token_file);
    if (!token)
        return fail(
            looked + "the token to ask " + server.text() + " with cannot be read: " + token.error().message +
            "; is keelsond running? Say where it is with --data-dir DIR, or --admin URL, --token-file "
            "and --ca-file");
    server.token = std::move(*token);
    server.ca_file = options.ca_file.empty() ? options.data_directory + "/pki/ca.crt" : options.ca_file;
    if (::access(server.ca_file.c_str(), R_OK) != 0)
        return fail(looked + "the authority of " + server.text() + " cannot be read: " + server.ca_file +
                    ": " + std::strerror(errno) + "; name it with --ca-file");
    return server;
}

}  // namespace

Result<Server> find_server(const ServerOptions& options) {
    if (!options.admin_url.empty()) return over_port(options, options.admin_url, "");
    Server server;
    server.socket_path = options.data_directory + "/run/admin.sock";
    const std::string why_not = obstacle(server.socket_path);
    if (why_not.empty()) return server;
    return over_port(options, "https://127.0.0.1:" + std::to_string(kDefaultPort),
                     "there is no way over " + server.socket_path + " (" + why_not + "), and ");
}

}  // namespace keelson::cli
