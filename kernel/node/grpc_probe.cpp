#include "kernel/node/grpc_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "kernel/node/header_blocks.h"
#include "kernel/object/field_errors.h"

namespace keelson::node {
namespace {

using base::Reason;
using base::Result;
using base::Status;

enum class FrameType : std::uint8_t {
    data = 0,
    headers = 1,
    reset = 3,
    settings = 4,
    ping = 6,
    go_away = 7,
    continuation = 9,
};
constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kAcknowledged = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;
constexpr std::uint8_t kPadded = 0x8;
constexpr std::uint8_t kWithPriority = 0x20;
constexpr std::size_t kLongestFrame = 16 << 10;
constexpr std::size_t kLongestAnswer = 64 << 10;
constexpr int kMostFrames = 1000;
constexpr std::uint32_t kStream = 1;
constexpr std::int64_t kServing = 1;

struct Frame {
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
};

void append_frame(std::string& out, FrameType type, std::uint8_t flags, std::uint32_t stream,
                  std::string_view payload) {
    for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift & 0xff);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift & 0xff);
    out += payload;
}

std::string request_of(const GrpcProbe& probe) {
    std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // No table of remembered headers (setting 1), no pushed streams (setting 2).
    append_frame(out, FrameType::settings, 0, 0, std::string_view("\0\1\0\0\0\0\0\2\0\0\0\0", 12));
    std::string headers;
    append_header(headers, ":method", "POST");
    append_header(headers, ":scheme", "http");
    append_header(headers, ":path", "/grpc.health.v1.Health/Check");
    append_header(headers, ":authority", join_host_port(probe.host, probe.port));
    append_header(headers, "content-type", "application/grpc");
    append_header(headers, "user-agent", probe.user_agent);
    append_header(headers, "te", "trailers");
    append_header(headers, "grpc-timeout", std::to_string(probe.timeout.count()) + "S");
    append_frame(out, FrameType::headers, kEndHeaders, kStream, headers);
    // HealthCheckRequest: the service is its first field. A name has at most some hundred bytes.
    const std::string_view service = std::string_view(probe.service).substr(0, 8191);
    std::string message;
    if (!service.empty()) {
        message += '\x0a';
        if (service.size() >= 0x80) message += static_cast<char>(0x80 | (service.size() & 0x7f));
        message += static_cast<char>(service.size() >= 0x80 ? service.size() >> 7 : service.size());
        message += service;
    }
    std::string data(1, '\0');
    for (const int shift : {24, 16, 8, 0}) data += static_cast<char>(message.size() >> shift & 0xff);
    append_frame(out, FrameType::data, kEndStream, kStream, data + message);
    return out;
}

// Without what a frame of data or headers may carry besides.
Result<std::string> content_of(const Frame& frame) {
    std::string_view content = frame.payload;
    std::size_t padding = 0;
    if ((frame.flags & kPadded) != 0 && !content.empty()) {
        padding = static_cast<unsigned char>(content[0]);
        content.remove_prefix(1);
    }
    constexpr std::size_t kPrioritySize = 5;
    if (frame.type == FrameType::headers && (frame.flags & kWithPriority) != 0)
        content.remove_prefix(std::min(content.size(), kPrioritySize));
    if (padding > content.size()) return Status(Reason::service_unavailable, "malformed HTTP/2 frame");
    return std::string(content.substr(0, content.size() - padding));
}

// What came of the call.
struct Answer {
    std::string data;
    std::map<std::string, std::string> headers;  // trailers over headers
};

class Call {
  public:
    explicit Call(ProbeConnection& connection) : connection_(connection) {}

    Result<Answer> run(const GrpcProbe& probe) {
        KEELSON_TRY_VOID(connection_.write(request_of(probe)));
        for (int count = 0; count < kMostFrames && !is_over_; ++count) {
            KEELSON_TRY(const Frame frame, read_frame());
            KEELSON_TRY_VOID(take(frame));
        }
        if (!is_over_) return Status(Reason::service_unavailable, "too many HTTP/2 frames");
        return std::move(answer_);
    }

  private:
    Result<void> fill(std::size_t size) {
        while (read_.size() < size) {
            char block[4096];
            KEELSON_TRY(const std::size_t got, connection_.read(block, sizeof block));
            if (got == 0)
                return Status(Reason::service_unavailable, "connection closed before the answer: EOF");
            read_.append(block, got);
        }
        return {};
    }

    Result<Frame> read_frame() {
        constexpr std::size_t kHead = 9;
        KEELSON_TRY_VOID(fill(kHead));
        const auto byte = [&](std::size_t at) {
            return static_cast<std::uint32_t>(static_cast<unsigned char>(read_[at]));
        };
        const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
        if (size > kLongestFrame)
            return Status(Reason::service_unavailable,
                          "http2: frame too large: the server may not speak HTTP/2");
        Frame frame;
        frame.type = static_cast<FrameType>(byte(3));
        frame.flags = static_cast<std::uint8_t>(byte(4));
        frame.stream = (byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)) & 0x7fffffff;
        KEELSON_TRY_VOID(fill(kHead + size));
        frame.payload = read_.substr(kHead, size);
        read_.erase(0, kHead + size);
        return frame;
    }

    Result<void> acknowledge(const Frame& frame, std::string_view payload) {
        if ((frame.flags & kAcknowledged) != 0) return {};
        std::string out;
        append_frame(out, frame.type, kAcknowledged, 0, payload);
        return connection_.write(out);
    }

    Result<void> take(const Frame& frame) {
        switch (frame.type) {
            case FrameType::settings:
                return acknowledge(frame, {});
            case FrameType::ping:
                return acknowledge(frame, frame.payload);
            case FrameType::go_away:
                return Status(Reason::service_unavailable, "the server closes the connection");
            case FrameType::reset:
                return Status(Reason::service_unavailable, "stream terminated by RST_STREAM");
            case FrameType::data:
            case FrameType::headers:
            case FrameType::continuation:
                return frame.stream == kStream ? take_content(frame) : base::ok();
        }
        return {};
    }

    Result<void> take_content(const Frame& frame) {
        KEELSON_TRY(const std::string content, content_of(frame));
        std::string& to = frame.type == FrameType::data ? answer_.data : block_;
        to += content;
        if (to.size() > kLongestAnswer) return Status(Reason::service_unavailable, "the answer is too long");
        if (frame.type != FrameType::continuation) ends_stream_ = (frame.flags & kEndStream) != 0;
        const bool is_whole = frame.type == FrameType::data || (frame.flags & kEndHeaders) != 0;
        if (is_whole && frame.type != FrameType::data) {
            KEELSON_TRY(auto fields, read_headers(block_));
            block_.clear();
            for (auto& [name, value] : fields) answer_.headers[name] = std::move(value);
        }
        is_over_ = is_whole && ends_stream_;
        return {};
    }

    ProbeConnection& connection_;
    std::string read_;
    std::string block_;
    Answer answer_;
    bool ends_stream_ = false;
    bool is_over_ = false;
};

Result<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64 && !text.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(text[0]);
        text.remove_prefix(1);
        number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return number;
    }
    return Status(Reason::service_unavailable, "malformed HealthCheckResponse");
}

// The status in a HealthCheckResponse, its first field; none when it is no such message.
std::optional<std::int64_t> status_in(std::string_view data) {
    constexpr std::size_t kPrefix = 5;
    if (data.size() < kPrefix || data[0] != '\0') return std::nullopt;
    data.remove_prefix(kPrefix);
    std::int64_t status = 0;
    while (!data.empty()) {
        const auto tag = take_number(data);
        if (!tag) return std::nullopt;
        const bool is_text = (*tag & 7) == 2;
        const auto number = take_number(data);
        if (!number || (!is_text && (*tag & 7) != 0)) return std::nullopt;
        if (*tag == 8) status = static_cast<std::int64_t>(*number);
        if (is_text) data.remove_prefix(std::min<std::size_t>(*number, data.size()));
    }
    return status;
}

std::string status_name(std::int64_t status) {
    constexpr std::array<std::string_view, 4> kNames{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    if (status >= 0 && status < static_cast<std::int64_t>(kNames.size()))
        return std::string(kNames[static_cast<std::size_t>(status)]);
    return std::to_string(status);
}

std::string code_name(int code) {
    constexpr std::array<std::string_view, 17> kNames{
        "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
        "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
        "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
        "DataLoss", "Unauthenticated"};
    if (code >= 0 && code < static_cast<int>(kNames.size()))
        return std::string(kNames[static_cast<std::size_t>(code)]);
    return "Code(" + std::to_string(code) + ")";
}

std::string late_answer(const GrpcProbe& probe) {
    return fmt::format("timeout: health rpc did not complete within {}s", probe.timeout.count());
}

ProbeResult refused(const GrpcProbe& probe, int code, const std::string& message) {
    constexpr int kDeadlineExceeded = 4, kUnimplemented = 12;
    if (code == kUnimplemented)
        return {ProbeOutcome::failure,
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " +
                    message};
    if (code == kDeadlineExceeded) return {ProbeOutcome::failure, late_answer(probe)};
    return {ProbeOutcome::failure,
            fmt::format("error: health rpc probe failed: rpc error: code = {} desc = {}", code_name(code),
                        message)};
}

ProbeResult judge(const GrpcProbe& probe, const Answer& answer) {
    constexpr int kUnknown = 2;
    int code = kUnknown;
    const auto given = answer.headers.find("grpc-status");
    if (given != answer.headers.end())
        std::from_chars(given->second.data(), given->second.data() + given->second.size(), code);
    const auto message = answer.headers.find("grpc-message");
    if (code != 0) return refused(probe, code, message == answer.headers.end() ? "" : message->second);
    const auto status = status_in(answer.data);
    if (!status) return refused(probe, 13, "malformed HealthCheckResponse");
    if (*status == kServing) return {ProbeOutcome::success, "service healthy"};
    return {ProbeOutcome::failure,
            "service unhealthy (responded with " + object::go_quoted(status_name(*status)) + ")"};
}

}  // namespace

ProbeResult ask_over_grpc(const GrpcProbe& probe, Deadline deadline) {
    const std::string address = join_host_port(probe.host, probe.port);
    auto connection = ProbeConnection::open(probe.host, probe.port, deadline);
    if (!connection) {
        const bool is_late = connection.error().reason() == Reason::timeout;
        return {ProbeOutcome::failure,
                is_late
                    ? fmt::format(
                          "timeout: failed to connect service \"{}\" within {}s: context deadline exceeded",
                          address, probe.timeout.count())
                    : fmt::format("error: failed to connect service at \"{}\": {}", address,
                                  connection.error().message())};
    }
    const auto answer = Call(*connection).run(probe);
    if (answer) return judge(probe, *answer);
    if (answer.error().reason() == Reason::timeout) return {ProbeOutcome::failure, late_answer(probe)};
    constexpr int kUnavailable = 14;
    return refused(probe, kUnavailable, answer.error().message());
}

}  // namespace keelson::node
