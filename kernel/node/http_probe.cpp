#include "kernel/node/http_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "kernel/object/field_errors.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kLongestBody = 10 << 10;
constexpr std::size_t kLongestHead = 64 << 10;
constexpr int kMostRedirects = 10;
constexpr int kMostInterimAnswers = 10;

struct Url {
    bool is_secure = false;
    std::string host;  // without brackets
    std::uint16_t port = 0;
    std::string target;  // "/path?query"

    [[nodiscard]] std::string authority() const { return join_host_port(host, port); }
    [[nodiscard]] std::string text() const {
        return (is_secure ? "https://" : "http://") + authority() + target;
    }
};

struct Answer {
    int status = 0;
    std::string location;
    std::string body;  // at most as much as is read
};

// Bytes that a request line cannot have are escaped.
std::string escaped(std::string_view target) {
    std::string result;
    for (const char letter : target) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte <= ' ' || byte >= 0x7f || letter == '"' || letter == '<' || letter == '>')
            result += fmt::format("%{:02X}", byte);
        else
            result += letter;
    }
    return result.starts_with('/') ? result : "/" + result;
}

bool parse_number(std::string_view text, std::uint64_t& number, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size();
}

// "host", "host:80", "[::1]:80".
bool parse_authority(std::string_view text, Url& url) {
    const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
    if (bracket == std::string_view::npos) return false;
    const std::size_t colon = text.find(':', bracket);
    url.host = bracket > 0 ? text.substr(1, bracket - 1) : text.substr(0, colon);
    std::uint64_t port = url.is_secure ? 443 : 80;
    if (colon != std::string_view::npos && !parse_number(text.substr(colon + 1), port)) return false;
    url.port = static_cast<std::uint16_t>(port);
    return port > 0 && port <= 65535;
}

// Where a redirect leads from here.
std::optional<Url> resolve(const Url& from, std::string_view location) {
    Url to = from;
    location = location.substr(0, location.find('#'));
    for (const auto& [scheme, is_secure] : {std::pair{"http:", false}, std::pair{"https:", true}})
        if (object::lower_case(location.substr(0, std::string_view(scheme).size())) == scheme) {
            to.is_secure = is_secure;
            location.remove_prefix(std::string_view(scheme).size());
            if (!location.starts_with("//")) return std::nullopt;
            break;
        }
    if (location.starts_with("//")) {
        location.remove_prefix(2);
        const std::size_t end = std::min(location.find_first_of("/?"), location.size());
        if (!parse_authority(location.substr(0, end), to)) return std::nullopt;
        to.target = escaped(location.substr(end));
    } else if (location.starts_with('/')) {
        to.target = escaped(location);
    } else {
        const std::string path = from.target.substr(0, from.target.find('?'));
        const bool is_query = location.starts_with('?');
        to.target = escaped((is_query ? path : path.substr(0, path.rfind('/') + 1)) + std::string(location));
    }
    return to;
}

// Reads what the server sends as lines and amounts.
class AnswerReader {
  public:
    explicit AnswerReader(ProbeConnection& connection) : connection_(connection) {}

    Result<Answer> read_head() {
        for (int interim = 0; interim < kMostInterimAnswers; ++interim) {
            Answer answer;
            KEELSON_TRY(const std::string line, read_line());
            KEELSON_TRY(answer.status, parse_status(line));
            KEELSON_TRY_VOID(read_headers(answer));
            // Those have no body, whatever they say of it.
            if (answer.status == 204 || answer.status == 304) length_ = 0;
            if (answer.status >= 200) return answer;
        }
        return Status(Reason::service_unavailable, "net/http: too many 1xx informational responses");
    }

    // As much of the body as is wanted.
    Result<std::string> read_body() {
        if (is_chunked_) return read_chunks();
        std::string body;
        const std::uint64_t wanted = std::min<std::uint64_t>(length_.value_or(kLongestBody), kLongestBody);
        KEELSON_TRY_VOID(read_amount(wanted, body, length_ && *length_ <= kLongestBody));
        return body;
    }

  private:
    static Result<int> parse_status(const std::string& line) {
        std::uint64_t status = 0;
        const bool is_http = line.starts_with("HTTP/1.") && line.size() >= 12 &&
                             parse_number(std::string_view(line).substr(9, 3), status);
        if (is_http && status >= 100) return static_cast<int>(status);
        return Status(Reason::service_unavailable,
                      "net/http: HTTP/1.x transport connection broken: malformed HTTP response " +
                          object::go_quoted(std::string_view(line).substr(0, 80)));
    }

    Result<void> read_headers(Answer& answer) {
        while (true) {
            KEELSON_TRY(const std::string line, read_line());
            if (line.empty()) return {};
            const std::size_t colon = line.find(':');
            if (colon == std::string::npos) continue;
            const std::string name = object::lower_case(line.substr(0, colon));
            const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
            const std::string value = begin == std::string::npos ? "" : line.substr(begin);
            std::uint64_t length = 0;
            if (name == "location") answer.location = value;
            if (name == "content-length" && parse_number(value, length)) length_ = length;
            if (name == "transfer-encoding") is_chunked_ = object::lower_case(value).ends_with("chunked");
        }
    }

    Result<std::string> read_chunks() {
        std::string body;
        while (body.size() < kLongestBody) {
            KEELSON_TRY(std::string line, read_line());
            line = line.substr(0, line.find_first_of("; "));
            std::uint64_t size = 0;
            if (!parse_number(line, size, 16))
                return Status(Reason::service_unavailable, "invalid byte in chunk length");
            if (size == 0) break;
            const std::uint64_t wanted = std::min<std::uint64_t>(size, kLongestBody - body.size());
            KEELSON_TRY_VOID(read_amount(body.size() + wanted, body, true));
            if (wanted < size) break;
            KEELSON_TRY(const std::string end, read_line());
        }
        return body;
    }

    Result<bool> fill() {
        char block[4096];
        KEELSON_TRY(const std::size_t got, connection_.read(block, sizeof block));
        read_.append(block, got);
        return got > 0;
    }

    // Without the end of the line.
    Result<std::string> read_line() {
        std::size_t end = 0;
        while ((end = read_.find('\n')) == std::string::npos) {
            if (head_bytes_ + read_.size() > kLongestHead)
                return Status(Reason::service_unavailable,
                              "net/http: server response headers exceeded 65536 bytes");
            KEELSON_TRY(const bool has_more, fill());
            if (!has_more)
                return Status(Reason::service_unavailable, read_.empty() ? "EOF" : "unexpected EOF");
        }
        head_bytes_ += end + 1;
        if (head_bytes_ > kLongestHead)
            return Status(Reason::service_unavailable,
                          "net/http: server response headers exceeded 65536 bytes");
        std::string line = read_.substr(0, end);
        read_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return line;
    }

    // Until `body` has that size, or, unless all is needed, until the end.
    Result<void> read_amount(std::uint64_t size, std::string& body, bool needs_all) {
        while (true) {
            const std::size_t part = std::min<std::size_t>(read_.size(), size - body.size());
            body.append(read_, 0, part);
            read_.erase(0, part);
            if (body.size() >= size) return {};
            KEELSON_TRY(const bool has_more, fill());
            if (has_more) continue;
            if (needs_all) return Status(Reason::service_unavailable, "unexpected EOF");
            return {};
        }
    }

    ProbeConnection& connection_;
    std::string read_;
    std::size_t head_bytes_ = 0;
    std::optional<std::uint64_t> length_;
    bool is_chunked_ = false;
};

bool is_header_value(std::string_view value) {
    return std::none_of(value.begin(), value.end(), [](char letter) {
        const auto byte = static_cast<unsigned char>(letter);
        return (byte < ' ' && letter != '\t') || byte == 0x7f;
    });
}

// The host that the probe asks for by a header, if it does.
std::string wanted_host(const HttpProbe& probe) {
    for (const auto& [name, value] : probe.headers)
        if (object::lower_case(name) == "host") return value;
    return {};
}

Result<std::string> request_text(const HttpProbe& probe, const Url& url, const std::string& host) {
    std::string text = "GET " + url.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
    bool has_agent = false, has_accept = false;
    for (const auto& [name, value] : probe.headers) {
        if (!object::is_http_header_name(name).empty())
            return Status(Reason::bad_request,
                          "net/http: invalid header field name " + object::go_quoted(name));
        if (!is_header_value(value))
            return Status(Reason::bad_request,
                          "net/http: invalid header field value for " + object::go_quoted(name));
        const std::string lower = object::lower_case(name);
        has_agent = has_agent || lower == "user-agent";
        has_accept = has_accept || lower == "accept";
        // An empty one says that none is to be sent.
        const bool is_left_out =
            lower == "host" || (value.empty() && (lower == "accept" || lower == "user-agent"));
        if (!is_left_out) text += fmt::format("{}: {}\r\n", name, value);
    }
    if (!has_agent) text += "User-Agent: " + probe.user_agent + "\r\n";
    if (!has_accept) text += "Accept: */*\r\n";
    return text + "Connection: close\r\n\r\n";
}

struct Visit {
    Answer answer;
    std::optional<Status> body_failure;
};

Result<Visit> visit(const HttpProbe& probe, const Url& url, const std::string& host, Deadline deadline) {
    if (!is_header_value(host)) return Status(Reason::bad_request, "http: invalid Host header");
    KEELSON_TRY(const std::string request, request_text(probe, url, host));
    KEELSON_TRY(ProbeConnection connection, ProbeConnection::open(url.host, url.port, deadline));
    if (url.is_secure) KEELSON_TRY_VOID(connection.start_tls(url.host));
    KEELSON_TRY_VOID(connection.write(request));
    AnswerReader reader(connection);
    Visit visited;
    KEELSON_TRY(visited.answer, reader.read_head());
    auto body = reader.read_body();
    if (body)
        visited.answer.body = std::move(*body);
    else
        visited.body_failure = body.error();
    return visited;
}

bool is_redirect(const Answer& answer) {
    switch (answer.status) {
        case 301:
        case 302:
        case 303:
        case 307:
        case 308:
            return !answer.location.empty();
        default:
            return false;
    }
}

ProbeResult failed(const Url& url, const Status& failure) {
    // However far it came, a client of Go says this.
    const std::string why = failure.reason() == Reason::timeout
                                ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                                : failure.message();
    return {ProbeOutcome::failure, "Get " + object::go_quoted(url.text()) + ": " + why};
}

ProbeResult judge(const Visit& visited) {
    if (visited.body_failure) {
        const bool is_late = visited.body_failure->reason() == Reason::timeout;
        return {ProbeOutcome::failure,
                is_late
                    ? "context deadline exceeded (Client.Timeout or context cancellation while reading body)"
                    : visited.body_failure->message()};
    }
    const Answer& answer = visited.answer;
    if (answer.status >= 400)
        return {ProbeOutcome::failure, fmt::format("HTTP probe failed with statuscode: {}", answer.status)};
    if (answer.status >= 300)
        return {ProbeOutcome::warning, "Probe terminated redirects, Response body: " + answer.body};
    return {ProbeOutcome::success, answer.body};
}

}  // namespace

ProbeResult ask_over_http(const HttpProbe& probe, Deadline deadline) {
    Url url{probe.is_secure, probe.host, probe.port, escaped(probe.path)};
    std::string host = wanted_host(probe);
    if (host.empty()) host = url.authority();
    for (int redirects = 0;; ++redirects) {
        const auto visited = visit(probe, url, host, deadline);
        if (!visited) return failed(url, visited.error());
        if (!is_redirect(visited->answer)) return judge(*visited);
        const std::string& location = visited->answer.location;
        const auto next = resolve(url, location);
        if (!next)
            return failed(url, Status(Reason::bad_request,
                                      "failed to parse Location header " + object::go_quoted(location)));
        if (next->host != probe.host) return judge(*visited);
        if (redirects + 1 == kMostRedirects)
            return failed(*next, Status(Reason::service_unavailable, "stopped after 10 redirects"));
        if (next->authority() != url.authority() || next->is_secure != url.is_secure)
            host = next->authority();
        url = *next;
    }
}

}  // namespace keelson::node
