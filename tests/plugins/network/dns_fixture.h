// The DNS plugin on a free port of the loopback device, a client, and other servers for it to ask.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/files.h"
#include "plugins/network/dns/ldns.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {

using Json = nlohmann::json;

// A message taken apart; records are as dig prints them, "name. ttl IN TYPE value", with single spaces.
struct DnsAnswer {
    int id = 0;
    int code = -1;  // -1: there was no answer
    bool is_authoritative = false, is_truncated = false, recursion_available = false;
    bool has_edns = false;
    int extended_code = 0;
    std::string question;
    std::vector<std::string> answers, authority, additional;
    std::size_t bytes = 0;
};
DnsAnswer read_dns(const std::string& message);

struct DnsQuestion {
    std::string name;
    std::string type = "A";
    int payload = 0;  // with EDNS when it is not 0
    int id = 0x1234;
    bool recursion = true;
};
std::string write_dns(const DnsQuestion& question);

// Without an answer within two seconds: empty.
std::string exchange_udp(int port, const std::string& message);
// Sends all messages at once on one connection; the answers in the order in which they came.
std::vector<std::string> exchange_tcp(int port, const std::vector<std::string>& messages,
                                      std::size_t answers);
base::FileDescriptor connect_tcp(int port);

// A server that the plugin asks. It answers with the records that `say` gives for "name TYPE" ("" first: an
// error).
class OtherServer {
  public:
    struct Saying {
        int code = 0;
        std::vector<std::string> answers;
        std::vector<std::string> authority;
        bool is_truncated = false;  // by UDP
        bool is_silent = false;
        bool has_wrong_id = false;  // one with another id goes before it
    };
    using Say = std::function<Saying(const std::string& question)>;

    explicit OtherServer(Say say);
    ~OtherServer();
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int asked() const { return asked_; }
    [[nodiscard]] int asked_by_tcp() const { return asked_by_tcp_; }

  private:
    void serve();
    [[nodiscard]] std::vector<std::string> answer(const std::string& message, bool is_tcp);

    Say say_;
    base::FileDescriptor udp_, tcp_, end_;
    int port_ = 0;
    std::atomic<int> asked_ = 0, asked_by_tcp_ = 0;
    std::thread thread_;
};

class DnsTest : public ::testing::Test {
  protected:
    void start(const Json& config = Json::object());
    PluginReply configure(const std::vector<std::string>& upstreams = {}, const Json& more = Json::object());
    // Without records, so that there is an answer to everything.
    PluginReply serve(const std::vector<std::string>& upstreams = {});
    PluginReply apply(const std::vector<Json>& set, bool full = false, const std::vector<Json>& removed = {},
                      bool more = false);
    static Json record(const std::string& name, const std::string& type,
                       const std::vector<std::string>& values, int ttl = 30) {
        return {{"name", name}, {"type", type}, {"ttlSeconds", ttl}, {"values", values}};
    }
    DnsAnswer ask(const DnsQuestion& question) { return read_dns(exchange_udp(port_, write_dns(question))); }
    DnsAnswer ask(const std::string& name, const std::string& type = "A") { return ask({name, type}); }
    // A few services as the kernel names them.
    void apply_services();

    TemporaryDirectory directory_;
    std::unique_ptr<PluginLibrary> plugin_;
    int port_ = 0;
    std::int64_t generation_ = 0;
};

}  // namespace keelson::testing
