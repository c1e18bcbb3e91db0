// A blocking HTTPS client for tests: sends exactly the bytes that it is given, so that wrong requests can be
// sent too.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace keelson::testing {

struct Answer {
    int status = 0;  // 0: the connection ended before an answer
    std::string version;
    std::multimap<std::string, std::string> headers;  // names in lower case
    std::string body;                                 // chunks joined

    [[nodiscard]] std::string header(const std::string& lower_case_name) const {
        const auto found = headers.find(lower_case_name);
        return found == headers.end() ? std::string() : found->second;
    }
};

class HttpsClient {
  public:
    struct Options {
        std::uint16_t port = 0;
        std::string ca;           // PEM; when given, the server must prove to be 127.0.0.1
        std::string certificate;  // PEM of the client
        std::string key;
        int receive_buffer_bytes = 0;  // of the socket; 0: the system's choice
        void* session = nullptr;       // SSL_SESSION to resume
    };
    explicit HttpsClient(Options options);
    HttpsClient(HttpsClient&& other) noexcept;
    ~HttpsClient();

    [[nodiscard]] bool connected() const;
    [[nodiscard]] bool resumed() const;
    [[nodiscard]] std::string protocol() const;  // "TLSv1.3"
    [[nodiscard]] std::string alpn() const;
    [[nodiscard]] std::string server_common_name() const;
    [[nodiscard]] void* session() const;  // owned by the caller

    bool send(std::string_view bytes);
    // "GET /path HTTP/1.1", Host, further header lines ("A: b\r\n") and body, then the answer.
    Answer request(std::string_view method, std::string_view target, std::string_view header_lines = {},
                   std::string_view body = {});
    Answer read_answer(bool head = false);
    std::string read_line();                    // up to "\r\n", which is cut off; empty at the end
    std::string read_bytes(std::size_t count);  // fewer at the end
    std::string read_chunk();                   // one chunk of a chunked body; empty at the end
    [[nodiscard]] bool at_end();                // blocks until the peer closes or sends
    void close();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::testing
