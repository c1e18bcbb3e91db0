// The DNS plugin as its clients see it.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <set>

#include "tests/plugins/network/dns_fixture.h"
#include "tests/plugins/network/namespaces.h"

namespace keelson::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int kNoError = 0, kFormatError = 1, kServerFailure = 2, kNameError = 3, kNotImplemented = 4,
              kRefused = 5;
const char* const kSoa =
    "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5";

class DnsZoneTest : public DnsTest {
  protected:
    void SetUp() override {
        ASSERT_TRUE(configure().ok());
        apply_services();
    }
};

TEST_F(DnsZoneTest, AddressesOfAServiceAreAnsweredWithAuthority) {
    const DnsAnswer four = ask("web.default.svc.cluster.local");
    EXPECT_EQ(four.code, kNoError);
    EXPECT_EQ(four.id, 0x1234);
    EXPECT_TRUE(four.is_authoritative);
    EXPECT_THAT(four.answers, ElementsAre("web.default.svc.cluster.local. 30 IN A 10.96.0.10"));
    EXPECT_THAT(ask("web.default.svc.cluster.local", "AAAA").answers,
                ElementsAre("web.default.svc.cluster.local. 30 IN AAAA fd00::a"));
}

TEST_F(DnsZoneTest, CaseOfTheQuestionIsKeptAndDoesNotMatter) {
    const DnsAnswer answer = ask("WeB.dEfault.SVC.cluster.LOCAL");
    EXPECT_THAT(answer.question, HasSubstr("WeB.dEfault.SVC.cluster.LOCAL."));
    EXPECT_THAT(answer.answers, ElementsAre("WeB.dEfault.SVC.cluster.LOCAL. 30 IN A 10.96.0.10"));
}

TEST_F(DnsZoneTest, AbsentNamesAndAbsentTypesAreToldApart) {
    const DnsAnswer absent = ask("no.default.svc.cluster.local");
    EXPECT_EQ(absent.code, kNameError);
    EXPECT_THAT(absent.authority, ElementsAre(kSoa));
    const DnsAnswer other = ask("db.default.svc.cluster.local", "AAAA");
    EXPECT_EQ(other.code, kNoError);
    EXPECT_THAT(other.answers, IsEmpty());
    EXPECT_THAT(other.authority, ElementsAre(kSoa));
    // Nothing but other names below it.
    EXPECT_EQ(ask("svc.cluster.local").code, kNoError);
    EXPECT_EQ(ask("_tcp.web.default.svc.cluster.local").code, kNoError);
    EXPECT_EQ(ask("x.web.default.svc.cluster.local").code, kNameError);
}

TEST_F(DnsZoneTest, ATypeThatIsNotKnownDoesNotStopARemoval) {
    ASSERT_TRUE(apply({record("strange.default.svc.cluster.local", "NEWTYPE", {"x"})}).ok());
    const PluginReply removed = apply({}, false,
                                      {{{"name", "strange.default.svc.cluster.local"}, {"type", "NEWTYPE"}},
                                       {{"name", "web.default.svc.cluster.local"}, {"type", "A"}}});
    ASSERT_TRUE(removed.ok()) << removed.message();
    EXPECT_THAT(ask("web.default.svc.cluster.local").answers, IsEmpty());
}

TEST_F(DnsZoneTest, EmptyNamesGoWithWhatIsBelowThem) {
    ASSERT_TRUE(apply({record("a.b.c.svc.cluster.local", "A", {"10.0.0.1"})}).ok());
    EXPECT_EQ(ask("b.c.svc.cluster.local").code, kNoError);
    ASSERT_TRUE(apply({}, false, {{{"name", "a.b.c.svc.cluster.local"}, {"type", "A"}}}).ok());
    EXPECT_EQ(ask("b.c.svc.cluster.local").code, kNameError);
    EXPECT_EQ(ask("svc.cluster.local").code, kNoError);
}

TEST_F(DnsZoneTest, ServiceRecordsBringTheAddresses) {
    const DnsAnswer answer = ask({"_http._tcp.web.default.svc.cluster.local", "SRV", 1232});
    EXPECT_THAT(answer.answers, ElementsAre("_http._tcp.web.default.svc.cluster.local. 30 IN SRV 0 100 80 "
                                            "web.default.svc.cluster.local."));
    EXPECT_THAT(answer.additional, UnorderedElementsAre("web.default.svc.cluster.local. 30 IN A 10.96.0.10",
                                                        "web.default.svc.cluster.local. 30 IN AAAA fd00::a"));
}

TEST_F(DnsZoneTest, ReverseNamesAndTextsAreAnswered) {
    EXPECT_THAT(ask("10.0.96.10.in-addr.arpa", "PTR").answers,
                ElementsAre("10.0.96.10.in-addr.arpa. 30 IN PTR web.default.svc.cluster.local."));
    EXPECT_THAT(ask("dns-version.cluster.local", "TXT").answers,
                ElementsAre("dns-version.cluster.local. 30 IN TXT \"1.1.0\""));
}

TEST_F(DnsZoneTest, AliasesWithinTheZoneAreFollowedAndLoopsEnd) {
    EXPECT_THAT(ask("alias.default.svc.cluster.local").answers,
                ElementsAre("alias.default.svc.cluster.local. 30 IN CNAME web.default.svc.cluster.local.",
                            "web.default.svc.cluster.local. 30 IN A 10.96.0.10"));
    EXPECT_THAT(ask("alias.default.svc.cluster.local", "CNAME").answers, SizeIs(1));
    EXPECT_EQ(ask("loop.default.svc.cluster.local").code, kServerFailure);
}

TEST_F(DnsZoneTest, AddressesTakeTurns) {
    std::set<std::string> first;
    for (int i = 0; i < 3; ++i) {
        const DnsAnswer answer = ask("db.default.svc.cluster.local");
        ASSERT_THAT(answer.answers, SizeIs(3));
        first.insert(answer.answers.front());
    }
    EXPECT_THAT(first, SizeIs(3));
}

TEST_F(DnsZoneTest, NamesOfPodsAreTheirAddresses) {
    EXPECT_THAT(ask("10-0-0-5.default.pod.cluster.local").answers,
                ElementsAre("10-0-0-5.default.pod.cluster.local. 30 IN A 10.0.0.5"));
    EXPECT_THAT(ask("fd00--5.default.pod.cluster.local", "AAAA").answers,
                ElementsAre("fd00--5.default.pod.cluster.local. 30 IN AAAA fd00::5"));
    EXPECT_EQ(ask("10-0-0-5.default.pod.cluster.local", "AAAA").code, kNoError);
    EXPECT_EQ(ask("10-0-0-256.default.pod.cluster.local").code, kNameError);
    EXPECT_EQ(ask("web.default.pod.cluster.local").code, kNameError);
    EXPECT_EQ(ask("default.pod.cluster.local").code, kNoError);
    ASSERT_TRUE(configure({}, {{"podNames", false}}).ok());
    EXPECT_EQ(ask("10-0-0-5.default.pod.cluster.local").code, kNameError);
}

TEST_F(DnsZoneTest, TheZoneHasItsOwnRecords) {
    EXPECT_THAT(ask("cluster.local", "SOA").answers, ElementsAre(HasSubstr("SOA ns.dns.cluster.local.")));
    EXPECT_THAT(ask("cluster.local", "NS").answers,
                ElementsAre("cluster.local. 30 IN NS ns.dns.cluster.local."));
    EXPECT_THAT(ask("ns.dns.cluster.local").answers, ElementsAre("ns.dns.cluster.local. 30 IN A 127.0.0.1"));
}

TEST_F(DnsZoneTest, SerialIsTheGeneration) {
    ASSERT_TRUE(apply({}).ok());
    EXPECT_THAT(ask("cluster.local", "SOA").answers, ElementsAre(HasSubstr("hostmaster.cluster.local. 2 ")));
    EXPECT_EQ(plugin_->call("keelson.network.dns/0", "state", Json::object()).document["generation"], 2);
}

TEST_F(DnsZoneTest, LongAnswersAreCutForUdpAndWholeByTcp) {
    std::vector<std::string> addresses;
    for (int i = 0; i < 200; ++i) addresses.push_back("10.1.0." + std::to_string(i));
    ASSERT_TRUE(apply({record("many.default.svc.cluster.local", "A", addresses)}).ok());
    const DnsAnswer plain = ask("many.default.svc.cluster.local");
    EXPECT_TRUE(plain.is_truncated);
    EXPECT_LE(plain.bytes, 512U);
    const DnsAnswer extended = ask({"many.default.svc.cluster.local", "A", 4096});
    EXPECT_TRUE(extended.is_truncated);
    EXPECT_LE(extended.bytes, 1232U);
    EXPECT_GT(extended.bytes, 512U);
    const auto whole = exchange_tcp(port_, {write_dns({"many.default.svc.cluster.local"})}, 1);
    ASSERT_THAT(whole, SizeIs(1));
    EXPECT_FALSE(read_dns(whole[0]).is_truncated);
    EXPECT_THAT(read_dns(whole[0]).answers, SizeIs(200));
}

TEST_F(DnsZoneTest, EdnsIsAnsweredInKind) {
    EXPECT_FALSE(ask("web.default.svc.cluster.local").has_edns);
    EXPECT_TRUE(ask({"web.default.svc.cluster.local", "A", 1232}).has_edns);
    std::string message = write_dns({"web.default.svc.cluster.local", "A", 1232});
    message[message.size() - 5] = 1;  // the version
    const DnsAnswer answer = read_dns(exchange_udp(port_, message));
    EXPECT_EQ(answer.extended_code, 1);  // 16: BADVERS
    EXPECT_THAT(answer.answers, IsEmpty());
}

TEST_F(DnsZoneTest, WhatIsNotServedIsRefusedWithTheRightCode) {
    EXPECT_EQ(ask("www.example.org").code, kRefused);
    EXPECT_EQ(ask("cluster.local", "AXFR").code, kRefused);
    std::string message = write_dns({"web.default.svc.cluster.local"});
    std::string chaos = message;
    chaos.back() = 3;
    EXPECT_EQ(read_dns(exchange_udp(port_, chaos)).code, kRefused);
    std::string notify = message;
    notify[2] = char(notify[2] | 4 << 3);
    EXPECT_EQ(std::uint8_t(exchange_udp(port_, notify).at(3)) & 15, kNotImplemented);
    std::string two = message;
    two[5] = 2;
    EXPECT_EQ(std::uint8_t(exchange_udp(port_, two).at(3)) & 15, kFormatError);
    std::string cut = message.substr(0, message.size() - 3);
    EXPECT_EQ(std::uint8_t(exchange_udp(port_, cut).at(3)) & 15, kFormatError);
}

TEST_F(DnsZoneTest, QuestionsOnOneConnectionAreAllAnswered) {
    std::vector<std::string> messages;
    for (int i = 0; i < 1000; ++i)
        messages.push_back(write_dns({"web.default.svc.cluster.local", "A", 0, i}));
    const auto answers = exchange_tcp(port_, messages, messages.size());
    ASSERT_THAT(answers, SizeIs(messages.size()));
    std::set<int> ids;
    for (const std::string& answer : answers) ids.insert(read_dns(answer).id);
    EXPECT_THAT(ids, SizeIs(messages.size()));
}

TEST_F(DnsZoneTest, FullChangeInPiecesIsSeenAsOne) {
    ASSERT_TRUE(apply({record("one.default.svc.cluster.local", "A", {"10.0.0.1"})}, true, {}, true).ok());
    EXPECT_EQ(ask("one.default.svc.cluster.local").code, kNameError);
    EXPECT_EQ(ask("web.default.svc.cluster.local").code, kNoError);
    ASSERT_TRUE(apply({record("two.default.svc.cluster.local", "A", {"10.0.0.2"})}, true).ok());
    EXPECT_EQ(ask("one.default.svc.cluster.local").code, kNoError);
    EXPECT_EQ(ask("two.default.svc.cluster.local").code, kNoError);
    EXPECT_EQ(ask("web.default.svc.cluster.local").code, kNameError);
}

TEST_F(DnsZoneTest, RecordWithoutSenseIsSaidAndTheOthersAreServed) {
    ASSERT_TRUE(apply({record("bad.default.svc.cluster.local", "A", {"10.0.0"}),
                       record("good.default.svc.cluster.local", "A", {"10.0.0.1"})})
                    .ok());
    EXPECT_THAT(plugin_->log(), ElementsAre(HasSubstr("bad.default.svc.cluster.local")));
    EXPECT_EQ(ask("good.default.svc.cluster.local").code, kNoError);
}

TEST_F(DnsZoneTest, NoQuestionIsLostWhileTheTableChanges) {
    std::atomic<bool> is_over = false;
    std::atomic<int> answered = 0, lost = 0;
    std::thread client([&] {
        while (!is_over) ++(ask("db-0.db.default.svc.cluster.local").code == kNoError ? answered : lost);
    });
    for (int i = 0; i < 100; ++i) {
        apply_services();
        ASSERT_TRUE(configure().ok());
        ASSERT_TRUE(
            apply({record("web.default.svc.cluster.local", "A", {"10.96.0." + std::to_string(i)})}).ok());
    }
    is_over = true;
    client.join();
    EXPECT_EQ(lost, 0);
    EXPECT_GT(answered, 0);
}

TEST_F(DnsZoneTest, AddressThatIsTakenLeavesTheOthersAsTheyAre) {
    const PluginReply refused =
        configure({}, {{"listen", {"127.0.0.1:0", "127.0.0.1:" + std::to_string(port_)}}});
    EXPECT_EQ(refused.status, KEELSON_UNAVAILABLE);
    EXPECT_THAT(refused.message(), HasSubstr("127.0.0.1:" + std::to_string(port_)));
    EXPECT_EQ(ask("web.default.svc.cluster.local").code, kNoError);
}

TEST_F(DnsTest, ConnectionsAreBoundedAndQuietOnesEnd) {
    start({{"tcpConnections", 2}, {"tcpIdleSeconds", 1}});
    ASSERT_TRUE(serve().ok());
    std::vector<base::FileDescriptor> connections;
    for (int i = 0; i < 3; ++i) connections.push_back(connect_tcp(port_));
    const auto has_ended = [](int socket, int timeout_ms) {
        pollfd waiting{socket, POLLIN, 0};
        char byte = 0;
        return ::poll(&waiting, 1, timeout_ms) == 1 && ::recv(socket, &byte, 1, 0) <= 0;
    };
    EXPECT_TRUE(has_ended(connections[0].get(), 900));
    EXPECT_TRUE(has_ended(connections[1].get(), 5000));
    EXPECT_TRUE(has_ended(connections[2].get(), 5000));
}

class DnsUpstreamTest : public DnsTest {
  protected:
    static OtherServer::Saying address(const std::string& question) {
        const std::string name = question.substr(0, question.find(' '));
        if (name == "absent.example.org.")
            return {kNameError, {}, {"example.org. 60 IN SOA ns.example.org. me.example.org. 1 2 3 4 30"}};
        if (!question.ends_with(" A")) return {};
        return {kNoError, {name + " 60 IN A 192.0.2.1"}};
    }
};

TEST_F(DnsUpstreamTest, OtherNamesAreAskedOnceAndRemembered) {
    OtherServer other(address);
    ASSERT_TRUE(configure({other.address()}).ok());
    apply_services();
    for (int i = 0; i < 3; ++i) {
        const DnsAnswer answer = ask("www.Example.org");
        EXPECT_EQ(answer.code, kNoError);
        EXPECT_FALSE(answer.is_authoritative);
        EXPECT_TRUE(answer.recursion_available);
        ASSERT_THAT(answer.answers, SizeIs(1));
        EXPECT_THAT(answer.answers[0], HasSubstr("IN A 192.0.2.1"));
    }
    EXPECT_EQ(other.asked(), 1);
    EXPECT_EQ(ask("1.2.0.192.in-addr.arpa", "PTR").code, kNoError);
    EXPECT_EQ(other.asked(), 2);
    EXPECT_EQ(ask({"other.example.org", "A", 0, 1, false}).code, kRefused);
}

TEST_F(DnsUpstreamTest, AbsentNamesAreRememberedToo) {
    OtherServer other(address);
    ASSERT_TRUE(serve({other.address()}).ok());
    for (int i = 0; i < 2; ++i) {
        const DnsAnswer answer = ask("absent.example.org");
        EXPECT_EQ(answer.code, kNameError);
        EXPECT_THAT(answer.authority, SizeIs(1));
    }
    EXPECT_EQ(other.asked(), 1);
}

TEST_F(DnsUpstreamTest, ExternalNamesAreFollowed) {
    OtherServer other(address);
    ASSERT_TRUE(configure({other.address()}).ok());
    apply_services();
    EXPECT_THAT(ask("out.default.svc.cluster.local").answers,
                ElementsAre("out.default.svc.cluster.local. 30 IN CNAME www.example.org.",
                            "www.example.org. 60 IN A 192.0.2.1"));
}

TEST_F(DnsUpstreamTest, LongAnswersAreFetchedByTcp) {
    OtherServer other([](const std::string&) {
        OtherServer::Saying saying;
        for (int i = 0; i < 100; ++i)
            saying.answers.push_back("long.example.org. 60 IN A 192.0.2." + std::to_string(i));
        saying.is_truncated = true;
        return saying;
    });
    ASSERT_TRUE(serve({other.address()}).ok());
    const auto answers = exchange_tcp(port_, {write_dns({"long.example.org"})}, 1);
    ASSERT_THAT(answers, SizeIs(1));
    EXPECT_THAT(read_dns(answers[0]).answers, SizeIs(100));
    EXPECT_EQ(other.asked_by_tcp(), 1);
}

TEST_F(DnsUpstreamTest, NextServerIsAskedWhenOneIsSilentGoneOrBroken) {
    OtherServer silent([](const std::string&) { return OtherServer::Saying{.is_silent = true}; });
    OtherServer broken([](const std::string&) { return OtherServer::Saying{.code = kServerFailure}; });
    OtherServer good(address);
    std::string gone;
    {
        const OtherServer ended(address);
        gone = ended.address();
    }
    start({{"upstreamTimeoutMs", 100}});
    ASSERT_TRUE(serve({silent.address(), gone, broken.address(), good.address()}).ok());
    EXPECT_EQ(ask("www.example.org").code, kNoError);
    EXPECT_GT(silent.asked(), 0);
    EXPECT_GT(broken.asked(), 0);
}

TEST_F(DnsUpstreamTest, NoAnswerFromAnyIsAFailure) {
    OtherServer silent([](const std::string&) { return OtherServer::Saying{.is_silent = true}; });
    start({{"upstreamTimeoutMs", 50}});
    ASSERT_TRUE(serve({silent.address()}).ok());
    EXPECT_EQ(ask("www.example.org").code, kServerFailure);
    EXPECT_EQ(silent.asked(), 2);
}

TEST_F(DnsUpstreamTest, AnswersToOtherQuestionsAreNotTaken) {
    OtherServer other([](const std::string& question) {
        OtherServer::Saying saying = address(question);
        saying.has_wrong_id = true;
        return saying;
    });
    ASSERT_TRUE(serve({other.address()}).ok());
    EXPECT_EQ(ask("www.example.org").code, kNoError);
    EXPECT_EQ(other.asked(), 1);
}

TEST_F(DnsUpstreamTest, QuestionsOnAConnectionDoNotWaitForOneThatTakesLong) {
    OtherServer silent([](const std::string&) { return OtherServer::Saying{.is_silent = true}; });
    start({{"upstreamTimeoutMs", 200}});
    ASSERT_TRUE(configure({silent.address()}).ok());
    apply_services();
    const auto answers = exchange_tcp(
        port_,
        {write_dns({"www.example.org", "A", 0, 1}), write_dns({"web.default.svc.cluster.local", "A", 0, 2})},
        2);
    ASSERT_THAT(answers, SizeIs(2));
    EXPECT_EQ(read_dns(answers[0]).id, 2);
    EXPECT_EQ(read_dns(answers[1]).code, kServerFailure);
}

// The clients that people use. Each is skipped where it is not there.
class DnsClientTest : public DnsTest {
  protected:
    static std::string output(const std::string& command) {
        std::string text;
        FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
        char buffer[4096];
        while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
        status_ = pipe == nullptr ? -1 : ::pclose(pipe);
        return text;
    }
    static bool has(const std::string& program) {
        output("command -v " + program);
        return status_ == 0;
    }
    // In a namespace where this server has port 53 and resolv.conf names it, as in a pod.
    void serve_in(const NetworkNamespace& space) {
        space.run([&] { ASSERT_TRUE(configure({}, {{"listen", {"127.0.0.1:53"}}}).ok()); });
        apply_services();
        std::ofstream(directory_.path() + "/resolv.conf")
            << "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\n"
               "options ndots:5\n";
    }
    std::string resolve(const NetworkNamespace& space, const std::string& command) {
        return space.output("unshare --mount sh -c 'mount --bind " + directory_.path() +
                            "/resolv.conf /etc/resolv.conf && " + command + "'");
    }

    static inline int status_ = 0;
};

TEST_F(DnsClientTest, TheCLibrary) {
    if (const std::string reason = why_no_namespaces(); !reason.empty()) GTEST_SKIP() << reason;
    const NetworkNamespace space;
    serve_in(space);
    const std::string short_name = resolve(space, "getent ahosts web");
    EXPECT_THAT(short_name, HasSubstr("10.96.0.10"));
    EXPECT_THAT(short_name, HasSubstr("fd00::a"));
    EXPECT_THAT(resolve(space, "getent ahosts web.default.svc"), HasSubstr("10.96.0.10"));
    EXPECT_THAT(resolve(space, "getent ahosts db"), HasSubstr("10.244.0.7"));
    EXPECT_THAT(resolve(space, "getent hosts 10.96.0.10"), HasSubstr("web.default.svc.cluster.local"));
    EXPECT_EQ(resolve(space, "getent ahosts nothing || echo none"), "none\n");
}

TEST_F(DnsClientTest, Busybox) {
    if (!has("busybox")) GTEST_SKIP() << "busybox is not there (busybox-static)";
    if (const std::string reason = why_no_namespaces(); !reason.empty()) GTEST_SKIP() << reason;
    const NetworkNamespace space;
    serve_in(space);
    EXPECT_THAT(resolve(space, "busybox nslookup web.default.svc.cluster.local"), HasSubstr("10.96.0.10"));
    EXPECT_THAT(resolve(space, "busybox nslookup 10.96.0.10"), HasSubstr("web.default.svc.cluster.local"));
    EXPECT_THAT(resolve(space, "busybox nslookup nothing.cluster.local || true"), HasSubstr("NXDOMAIN"));
}

TEST_F(DnsClientTest, Dig) {
    if (!has("dig")) GTEST_SKIP() << "dig is not there (dnsutils)";
    ASSERT_TRUE(configure().ok());
    apply_services();
    const std::string at = "dig @127.0.0.1 -p " + std::to_string(port_) + " +tries=1 +time=3 ";
    EXPECT_EQ(output(at + "+short web.default.svc.cluster.local"), "10.96.0.10\n");
    EXPECT_EQ(output(at + "+short +tcp -x 10.96.0.10"), "web.default.svc.cluster.local.\n");
    EXPECT_THAT(output(at + "+dnssec +cookie web.default.svc.cluster.local"), HasSubstr("status: NOERROR"));
    EXPECT_THAT(output(at + "nothing.cluster.local"), HasSubstr("status: NXDOMAIN"));
    EXPECT_THAT(output(at + "+short SRV _http._tcp.web.default.svc.cluster.local"),
                HasSubstr("0 100 80 web.default.svc.cluster.local."));
}

}  // namespace
}  // namespace keelson::testing
