// A request and its answer as the routes see them: no sockets, no HTTP library.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "kernel/admin/admin.h"
#include "kernel/admin/problem.h"
#include "kernel/base/result.h"

namespace keelson::admin {

class BodySource {
  public:
    virtual ~BodySource() = default;
    // As the head says; nothing: in chunks.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;
    // The next bytes, at most `size`; 0 is the end.
    virtual tl::expected<std::size_t, Problem> read(char* buffer, std::size_t size) = 0;
    // Ends the connection unless the body has come within this time from now.
    virtual void limit_time(std::chrono::milliseconds limit) = 0;
};

class BodySink {
  public:
    virtual ~BodySink() = default;
    // False: the client has gone.
    virtual bool write(std::string_view bytes) = 0;
    virtual bool is_gone() = 0;
};

struct Route;

struct Request {
    std::string method;
    std::string target;  // as it came
    std::string path;
    std::vector<std::pair<std::string, std::string>> query;   // decoded
    std::map<std::string, std::string, std::less<>> headers;  // names in lower case
    access::Credentials credentials;
    std::optional<Caller> caller;  // known from the connection: the Unix socket
    BodySource* source = nullptr;
    // Filled in on the way to the route.
    const Route* route = nullptr;
    std::map<std::string, std::string, std::less<>> parameters;  // of the path
    std::string body;                                            // unless the route reads the source itself
    std::string note;  // what the log says about a change; never a secret

    [[nodiscard]] std::string header(std::string_view lower_case_name) const {
        const auto found = headers.find(lower_case_name);
        return found == headers.end() ? std::string() : found->second;
    }
    [[nodiscard]] std::string query_value(std::string_view name) const {
        for (const auto& [key, value] : query)
            if (key == name) return value;
        return {};
    }
};

struct Answer {
    int status = 200;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    // When given, writes the body after the head has been sent.
    std::function<void(BodySink&)> stream = {};
    std::optional<std::uint64_t> stream_bytes = {};  // nothing: in chunks, until stream() returns
};

using Outcome = tl::expected<Answer, Problem>;

inline tl::unexpected<Problem> refuse(int status, std::string detail) {
    return tl::unexpected<Problem>(Problem(status, std::move(detail)));
}
inline tl::unexpected<Problem> refuse(Problem problem) {
    return tl::unexpected<Problem>(std::move(problem));
}

}  // namespace keelson::admin
