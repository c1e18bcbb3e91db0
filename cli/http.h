// One HTTP call at a time to the admin API, over TLS or over the Unix socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <string>
#include <string_view>

#include "cli/result.h"

namespace keelson::cli {

// Where the server is and how to show who asks.
struct Server {
    std::string socket_path;  // when not empty, the rest is not used
    std::string host;
    std::uint16_t port = 0;
    std::string token;
    std::string ca_file;

    // As a user would write it.
    [[nodiscard]] std::string text() const;
};

struct Call {
    std::string method = "GET";
    std::string path;
    std::string body;                            // JSON; empty: none
    std::map<std::string, std::string> headers;  // more of them
    // Longest silence that is borne. Large snapshots are summed before their first byte comes.
    std::chrono::seconds patience{600};
};

struct Answer {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

// Takes a piece of a body as soon as it has come; false ends the call.
using PieceSink = std::function<bool(std::string_view)>;

// Any status of 400 or more is a Failure with the problem's detail.
Result<Answer> call(const Server& server, const Call& call);

// The body goes to the sink and not into the answer.
Result<Answer> download(const Server& server, const Call& call, const PieceSink& sink);

// Sends `size` bytes of the stream, after the server has agreed to the head.
Result<Answer> upload(const Server& server, const Call& call, std::istream& body, std::uint64_t size);

// A segment of a path, with what is not plain as %XX.
std::string encode_segment(std::string_view text);

}  // namespace keelson::cli
