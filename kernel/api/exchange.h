// One HTTP request and the answer to it, as handlers see them: no transport, no Beast, so that HTTP/2 or an
// in-process caller can stand behind the same interface.
//
// Threads: an Exchange belongs to its Executor. The handler starts there and, because a task resumes on the
// executor that it was spawned with, stays there; every member is called from there only, callbacks come from
// there too. Lifetime: the reference is valid until the handler's task ends, and so is everything that
// request() returns.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/result.h"
#include "kernel/base/status.h"
#include "kernel/base/task.h"

namespace keelson::api {

class ByteStream;

struct Header {
    std::string name;
    std::string value;
    bool operator==(const Header&) const = default;
};

// Header names differ in case only by accident.
[[nodiscard]] bool same_header_name(std::string_view left, std::string_view right);

// The certificate that the client showed in the TLS handshake. `verified` means: signed by a CA that the
// server accepts for clients, valid now, and meant for client authentication. One that is not verified is a
// failed login.
struct PeerCertificate {
    bool verified = false;
    std::string verify_error;  // why not verified, in OpenSSL's words
    std::string common_name;
    std::vector<std::string> organizations;  // in the order of the subject
    std::string uid;                         // subject attribute 1.3.6.1.4.1.57683.2, as Kubernetes reads it
    std::array<std::uint8_t, 32> sha256{};   // of the DER form
    std::string der;
};

struct Request {
    std::string method;      // "GET", upper case as sent
    std::string path;        // percent-decoded, without the query; always starts with '/'
    std::string raw_target;  // as sent: path and query
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order of appearance
    std::vector<Header> headers;                             // in order of appearance
    std::string body;                                        // whole; at most the server's limit (3 MiB)
    std::shared_ptr<const PeerCertificate> peer;             // null when the client showed no certificate
    std::string remote_address;                              // "192.0.2.1:4711" or "[2001:db8::1]:4711"
    std::string audit_id;  // from the client's Audit-ID header (64 characters at most) or a new UUID
    base::WallTime received{};

    // The first value of that name; empty when there is none.
    [[nodiscard]] std::string_view query_value(std::string_view name) const;
    [[nodiscard]] bool has_query(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> query_values(std::string_view name) const;
    [[nodiscard]] std::string_view header(std::string_view name) const;
    [[nodiscard]] bool has_header(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> header_values(std::string_view name) const;
};

// Fills path and query from raw_target as Go's net/url does: '+' is a space in the query, a pair with a
// broken escape or a ';' is left out. Fails when the path itself is malformed.
[[nodiscard]] base::Result<void> parse_target(Request& request);

using BodyPiece = std::shared_ptr<const std::string>;

// A whole answer. The body is the pieces one after the other; they are shared, never copied into one string.
// Content-Length, Date, Audit-Id, warnings and the compression headers are added by the transport.
struct Response {
    int status = 200;
    std::string content_type;  // empty: no Content-Type header
    std::vector<Header> headers;
    std::vector<BodyPiece> body;

    Response() = default;
    Response(int status_code, std::string type, std::string text)
        : status(status_code), content_type(std::move(type)) {
        if (!text.empty()) body.push_back(std::make_shared<const std::string>(std::move(text)));
    }
};

// live: every write() reaches the client at once and uncompressed (watches, followed logs).
// bulk: the writes are one document made piece by piece (a long list); it is gzipped by the same rule as a
// whole
//       Response, and sent with a Content-Length when it turns out short.
enum class StreamKind : std::uint8_t { live, bulk };

class Exchange {
  public:
    virtual ~Exchange() = default;
    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    [[nodiscard]] virtual const Request& request() const = 0;
    // Moves the body out of the request (a decoder that works in place wants to own it).
    [[nodiscard]] virtual std::string take_body() = 0;
    [[nodiscard]] virtual base::Executor& executor() = 0;

    // Adds a header to whatever answer follows. No effect once the answer has begun.
    virtual void add_header(std::string name, std::string value) = 0;
    // Adds `Warning: 299 - "text"` (RFC 7234; text is quoted and cleaned here, as Kubernetes does). Repeated
    // texts are sent once; beyond 4 KiB of warnings in total each is cut to 256 bytes, then dropped.
    virtual void add_warning(std::string_view text) = 0;

    // Answers with a whole document; sent when the handler's task ends, or earlier. Exactly one of respond()
    // and begin_stream() is called, once. A handler that ends without either answers 500.
    virtual void respond(Response response) = 0;

    // Answers piece by piece (chunked). write() waits until the client has taken enough of the earlier
    // pieces: at most one piece is in flight. A failure means that the client is gone; the handler just ends
    // then.
    virtual base::Task<base::Result<void>> begin_stream(int status, std::string content_type,
                                                        std::vector<Header> headers = {},
                                                        StreamKind kind = StreamKind::live) = 0;
    virtual base::Task<base::Result<void>> write(BodyPiece piece) = 0;
    virtual base::Task<void> end_stream() = 0;

    // Answers 101 with these headers, and hands the connection over: from now on it carries whatever was
    // agreed on, no more requests. Instead of respond() and begin_stream(); on_close() has not been called
    // before. A failure (bad_request) means that this
    // connection cannot be handed over, and nothing has been answered. The stream is there until the
    // handler's task ends, which closes the connection.
    virtual base::Task<base::Result<ByteStream*>> upgrade(std::vector<Header> headers) = 0;

    // True once the client has gone, or the server is stopping and long answers have to end.
    [[nodiscard]] virtual bool closed() const = 0;
    // Called at most once, when closed() becomes true; at once (posted) if it already is. Replaces an earlier
    // one; an empty function forgets it. Never called after the handler's task has ended.
    virtual void on_close(std::function<void()> callback) = 0;

    // The status code of the answer; 0 until respond() or begin_stream().
    [[nodiscard]] virtual int status() const = 0;
    // Called when the answer begins: with respond(), or when begin_stream() is called. For audit and metrics.
    virtual void on_response_started(std::function<void(int status, bool streaming)> callback) = 0;
    [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;  // of bodies, before compression
};

using Handler = std::function<base::Task<void>(Exchange&)>;

// `299 - "text"` with quotes and backslashes escaped and control characters replaced; empty text gives "".
[[nodiscard]] std::string warning_header(std::string_view text);

// The Kubernetes Status document of a failure as compact JSON with a final newline, in Kubernetes' field
// order.
[[nodiscard]] std::string status_json(const base::Status& status);
// The whole answer to a failure: code, JSON Status, and Retry-After when the details ask for it.
[[nodiscard]] Response status_response(const base::Status& status);

}  // namespace keelson::api
