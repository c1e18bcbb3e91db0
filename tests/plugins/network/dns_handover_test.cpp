// One instance of the DNS plugin takes over from another one: its clients notice nothing but a delay.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <stdexcept>

#include "kernel/plugin/local_plugin.h"
#include "tests/plugins/network/dns_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kDns = "keelson.network.dns/0";
constexpr const char* kHandover = "keelson.handover/0";
constexpr const char* kName = "web.default.svc.cluster.local";

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// As the kernel loads and calls it.
class Instance {
  public:
    Instance() {
        plugin::HostServices services;
        services.state_directory = directory_.path();
        services.log = [](int, std::string_view) {};
        services.metric = [](int, std::string_view, double, std::string_view) {};
        services.event = [](std::string_view) {};
        services.reconcile = [](std::string_view) {};
        services.monotonic_us = services.unix_us = now_us;
        auto loaded =
            plugin::load_plugin(KEELSON_TEST_PLUGINS "/dns.so", "dev.keelson.dns", "0.1.0", services);
        if (!loaded) throw std::runtime_error(loaded.error().message());
        plugin_ = std::move(*loaded);
        expect(invoke(plugin::kStart, Json::object()));
    }
    ~Instance() { stop(); }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    void stop() {
        if (plugin_ == nullptr) return;
        expect(invoke(plugin::kStop, Json::object()));
        plugin_.reset();
    }
    plugin::Outcome call(const char* capability, const char* method, const Json& request = Json::object(),
                         const std::vector<base::FileDescriptor>& descriptors = {}) {
        return invoke(plugin::find_method(capability, method).value(), request, descriptors);
    }
    // At a free port, if it is the first one; gives the port.
    int configure(const std::string& listen) {
        expect(call(kDns, "configure",
                    {{"listen", {listen}},
                     {"zone", "cluster.local"},
                     {"upstreams", Json::array()},
                     {"podNames", false}}));
        const Json state = Json::parse(call(kDns, "state").body);
        const std::string address = state["addresses"].at(0);
        return std::stoi(address.substr(address.rfind(':') + 1));
    }
    void apply(const std::string& address) {
        expect(call(kDns, "apply",
                    {{"generation", 1},
                     {"full", true},
                     {"set", {{{"name", kName}, {"type", "A"}, {"ttlSeconds", 5}, {"values", {address}}}}},
                     {"removed", Json::array()}}));
    }

  private:
    static void expect(const plugin::Outcome& outcome) {
        EXPECT_EQ(outcome.code, KEELSON_OK) << outcome.body;
    }
    plugin::Outcome invoke(plugin::MethodId method, const Json& request,
                           const std::vector<base::FileDescriptor>& descriptors = {}) {
        const std::string text = request.dump();
        plugin::Invocation invocation;
        invocation.method = method;
        invocation.request = text;
        for (const base::FileDescriptor& descriptor : descriptors)
            invocation.descriptors.push_back(descriptor.get());
        return plugin_->invoke(invocation);
    }

    TemporaryDirectory directory_;
    std::unique_ptr<plugin::LocalPlugin> plugin_;
};

constexpr const char* kListen = "127.0.0.1:0";

// A question that is under way.
class Asked {
  public:
    explicit Asked(int port) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in server{};
        server.sin_family = AF_INET;
        server.sin_port = htons(std::uint16_t(port));
        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
        const std::string message = write_dns({kName});
        EXPECT_EQ(::send(socket_.get(), message.data(), message.size(), 0), ssize_t(message.size()));
    }
    // Within that time; without one its code is -1.
    DnsAnswer answer(int patience_ms) {
        pollfd waiting{socket_.get(), POLLIN, 0};
        if (::poll(&waiting, 1, patience_ms) != 1) return {};
        std::string text(4096, '\0');
        const ssize_t size = ::recv(socket_.get(), text.data(), text.size(), 0);
        text.resize(size < 0 ? 0 : std::size_t(size));
        return read_dns(text);
    }

  private:
    base::FileDescriptor socket_;
};

constexpr int kShort = 200;
constexpr int kLong = 5000;

std::string answer_with(const std::string& address) {
    return std::string(kName) + ". 5 IN A " + address;
}

bool is_answered_by_tcp(const base::FileDescriptor& connection) {
    std::string message = write_dns({kName});
    message.insert(0, {char(message.size() >> 8), char(message.size())});
    EXPECT_EQ(::send(connection.get(), message.data(), message.size(), MSG_NOSIGNAL),
              ssize_t(message.size()));
    pollfd waiting{connection.get(), POLLIN, 0};
    return ::poll(&waiting, 1, kLong) == 1 && ::recv(connection.get(), message.data(), 2, 0) == 2;
}

TEST(DnsHandoverTest, QuestionsBeforeTheFirstRecordsWaitForThem) {
    Instance server;
    const int port = server.configure(kListen);
    Asked early(port);
    EXPECT_EQ(early.answer(kShort).code, -1) << "a name that is denied stays denied for a while";
    server.apply("10.96.0.10");
    EXPECT_THAT(early.answer(kLong).answers, ElementsAre(answer_with("10.96.0.10")));
}

TEST(DnsHandoverTest, QuestionsThatComeMeanwhileAreAnsweredByTheNewOne) {
    Instance old;
    const int port = old.configure(kListen);
    old.apply("10.96.0.10");
    EXPECT_THAT(Asked(port).answer(kLong).answers, ElementsAre(answer_with("10.96.0.10")));
    ASSERT_EQ(old.call(kHandover, "quiesce").code, KEELSON_OK);
    Asked meanwhile(port);
    const base::FileDescriptor by_tcp = connect_tcp(port);
    EXPECT_EQ(meanwhile.answer(kShort).code, -1);
    const plugin::Outcome given = old.call(kHandover, "give");
    ASSERT_EQ(given.code, KEELSON_OK) << given.body;
    ASSERT_THAT(given.descriptors, SizeIs(2));
    Instance fresh;
    const plugin::Outcome adopted =
        fresh.call(kHandover, "adopt", Json::parse(given.body), given.descriptors);
    ASSERT_EQ(adopted.code, KEELSON_OK) << adopted.body;
    old.stop();
    Asked between(port);
    EXPECT_EQ(fresh.configure(kListen), port);
    EXPECT_EQ(between.answer(kShort).code, -1);
    fresh.apply("10.96.0.11");
    EXPECT_THAT(meanwhile.answer(kLong).answers, ElementsAre(answer_with("10.96.0.11")));
    EXPECT_THAT(between.answer(kLong).answers, ElementsAre(answer_with("10.96.0.11")));
    EXPECT_THAT(Asked(port).answer(kLong).answers, ElementsAre(answer_with("10.96.0.11")));
    EXPECT_TRUE(is_answered_by_tcp(by_tcp));
}

TEST(DnsHandoverTest, TheOldOneGoesOnWhenNothingComesOfIt) {
    Instance old;
    const int port = old.configure(kListen);
    old.apply("10.96.0.10");
    ASSERT_EQ(old.call(kHandover, "quiesce").code, KEELSON_OK);
    Asked meanwhile(port);
    ASSERT_EQ(old.call(kHandover, "give").code, KEELSON_OK);
    ASSERT_EQ(old.call(kHandover, "resume").code, KEELSON_OK);
    EXPECT_THAT(meanwhile.answer(kLong).answers, ElementsAre(answer_with("10.96.0.10")));
}

TEST(DnsHandoverTest, WhatIsNoHandoverOfThisKindIsRefused) {
    Instance fresh;
    for (const Json& state : {Json(), Json{{"version", 2}, {"listen", Json::array()}},
                              Json{{"version", 1}, {"listen", {"127.0.0.1:53"}}}}) {
        EXPECT_EQ(fresh.call(kHandover, "adopt", {{"state", state}}).code, KEELSON_INVALID) << state;
        EXPECT_THAT(Json::parse(fresh.call(kDns, "state").body)["addresses"], IsEmpty());
    }
}

}  // namespace
}  // namespace keelson::testing
