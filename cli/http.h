// One HTTP call at a time, over TLS, plainly, or over a Unix socket: for the admin API and for the Kubernetes
// API.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/result.h"

namespace keelson::cli {

// Where the server is and how to show who asks.
struct Server {
    std::string socket_path;  // when not empty, the rest is not used
    bool is_plain = false;    // http instead of https
    std::string host;
    std::uint16_t port = 0;
    std::string base_path;  // before every path; without a slash at its end

    std::string token;
    std::string user, password;    // basic authentication, when there is no token
    std::string certificate, key;  // of the client, as PEM
    std::string ca_file;           // the authorities of the server's certificate; empty: `authority`
    std::string authority;         // the same as PEM; empty too: those of the system
    std::string tls_server_name;   // what the certificate must be for, instead of the host
    bool trusts_anything = false;  // the server's certificate is not looked at
    std::map<std::string, std::string> headers;    // of every call
    std::vector<std::string> impersonated_groups;  // one Impersonate-Group header each

    // As a user would write it.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string authority_text() const;  // HOST:PORT
};

struct Call {
    std::string method = "GET";
    std::string path;                            // with the query
    std::string body;                            // empty: none
    std::map<std::string, std::string> headers;  // more of them; a Content-Type here beats JSON
    // Longest silence that is borne; 0: any. Large snapshots are summed before their first byte comes.
    std::chrono::milliseconds patience{600'000};
};

struct Answer {
    int status = 0;
    std::string reason;
    std::map<std::string, std::string> headers;  // names in lower case
    std::vector<std::string> warnings;           // the values of all Warning headers
    std::string body;
};

// Takes a piece of a body as soon as it has come; false ends the call.
using PieceSink = std::function<bool(std::string_view)>;

// Why there was no answer.
struct Trouble {
    enum class Kind : std::uint8_t { refused, unknown_host, timeout, untrusted, broken };
    Kind kind = Kind::broken;
    std::string text;
};

// Any status is an answer. Bodies of statuses below 400 go to the sink when there is one.
tl::expected<Answer, Trouble> exchange(const Server& server, const Call& call, const PieceSink& sink);

// The admin API's calls: any status of 400 or more is a Failure with the problem's detail.
Result<Answer> call(const Server& server, const Call& call);

// The body goes to the sink and not into the answer.
Result<Answer> download(const Server& server, const Call& call, const PieceSink& sink);

// Told of the bytes that have been sent so far.
using SentSink = std::function<void(std::uint64_t)>;

// Sends `size` bytes of the stream, after the server has agreed to the head.
Result<Answer> upload(const Server& server, const Call& call, std::istream& body, std::uint64_t size,
                      const SentSink& sent);

// A segment of a path, or a value of a query, with what is not plain as %XX.
std::string encode_segment(std::string_view text);

}  // namespace keelson::cli
