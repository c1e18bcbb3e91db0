#include "tests/plugins/network/dns_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace keelson::testing {
namespace {

using Clock = std::chrono::steady_clock;
using PacketHolder = std::unique_ptr<ldns_pkt, void (*)(ldns_pkt*)>;
constexpr int patience_ms = 2000;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(std::uint16_t(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

base::FileDescriptor bound(int type, int port) {
    base::FileDescriptor socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
}

int port_of(int socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

bool is_readable(int descriptor, int timeout_ms) {
    pollfd waiting{descriptor, POLLIN, 0};
    return ::poll(&waiting, 1, timeout_ms) == 1;
}

PacketHolder parse(const std::string& message) {
    ldns_pkt* packet = nullptr;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.data());
    if (ldns_wire2pkt(&packet, bytes, message.size()) != LDNS_STATUS_OK) packet = nullptr;
    return {packet, ldns_pkt_free};
}

std::string taken(char* text) {
    std::string result(text);
    std::free(text);
    while (!result.empty() && result.back() == '\n') result.pop_back();
    for (char& c : result)
        if (c == '\t') c = ' ';
    return result;
}

std::vector<std::string> texts(const ldns_rr_list* list) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i)
        result.push_back(taken(ldns_rr2str(ldns_rr_list_rr(list, i))));
    return result;
}

std::string serialize(ldns_pkt* packet) {
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    if (ldns_pkt2wire(&bytes, packet, &size) != LDNS_STATUS_OK) throw std::runtime_error("no message");
    std::string message(reinterpret_cast<char*>(bytes), size);
    std::free(bytes);
    return message;
}

void push(ldns_pkt* packet, ldns_pkt_section section, const std::string& text) {
    ldns_rr* record = nullptr;
    if (ldns_rr_new_frm_str(&record, text.c_str(), 0, nullptr, nullptr) != LDNS_STATUS_OK)
        throw std::runtime_error("no record: " + text);
    ldns_pkt_push_rr(packet, section, record);
}

std::string with_length(const std::string& message) {
    return std::string{char(message.size() >> 8), char(message.size())} + message;
}

bool read_exactly(int socket, std::string& out, std::size_t size) {
    out.resize(size);
    std::size_t at = 0;
    while (at < size) {
        if (!is_readable(socket, patience_ms)) return false;
        const ssize_t count = ::recv(socket, out.data() + at, size - at, 0);
        if (count <= 0) return false;
        at += std::size_t(count);
    }
    return true;
}

bool read_framed(int socket, std::string& message) {
    std::string length;
    if (!read_exactly(socket, length, 2)) return false;
    return read_exactly(socket, message, std::size_t(std::uint8_t(length[0])) << 8 | std::uint8_t(length[1]));
}

}  // namespace

DnsAnswer read_dns(const std::string& message) {
    DnsAnswer answer;
    const PacketHolder packet = parse(message);
    if (packet == nullptr) return answer;
    answer.id = ldns_pkt_id(packet.get());
    answer.code = int(ldns_pkt_get_rcode(packet.get()));
    answer.is_authoritative = ldns_pkt_aa(packet.get());
    answer.is_truncated = ldns_pkt_tc(packet.get());
    answer.recursion_available = ldns_pkt_ra(packet.get());
    answer.has_edns = ldns_pkt_edns(packet.get());
    answer.extended_code = answer.has_edns ? ldns_pkt_edns_extended_rcode(packet.get()) : 0;
    const auto questions = texts(ldns_pkt_question(packet.get()));
    if (!questions.empty()) answer.question = questions.front();
    answer.answers = texts(ldns_pkt_answer(packet.get()));
    answer.authority = texts(ldns_pkt_authority(packet.get()));
    answer.additional = texts(ldns_pkt_additional(packet.get()));
    answer.bytes = message.size();
    return answer;
}

std::string write_dns(const DnsQuestion& question) {
    const PacketHolder packet(
        ldns_pkt_query_new(ldns_dname_new_frm_str(question.name.c_str()),
                           ldns_get_rr_type_by_name(question.type.c_str()), LDNS_RR_CLASS_IN,
                           std::uint16_t(question.recursion ? LDNS_RD : 0)),
        ldns_pkt_free);
    ldns_pkt_set_id(packet.get(), std::uint16_t(question.id));
    if (question.payload != 0) ldns_pkt_set_edns_udp_size(packet.get(), std::uint16_t(question.payload));
    return serialize(packet.get());
}

std::string exchange_udp(int port, const std::string& message) {
    const base::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in server = loopback(port);
    ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server);
    ::send(socket.get(), message.data(), message.size(), 0);
    if (!is_readable(socket.get(), 2 * patience_ms)) return {};
    std::string answer(65536, '\0');
    const ssize_t size = ::recv(socket.get(), answer.data(), answer.size(), 0);
    answer.resize(size < 0 ? 0 : std::size_t(size));
    return answer;
}

base::FileDescriptor connect_tcp(int port) {
    base::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in server = loopback(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) return {};
    return socket;
}

std::vector<std::string> exchange_tcp(int port, const std::vector<std::string>& messages,
                                      std::size_t answers) {
    const base::FileDescriptor socket = connect_tcp(port);
    std::string all;
    for (const std::string& message : messages) all += with_length(message);
    std::thread writer([&] {
        for (std::size_t at = 0; at < all.size();) {
            const ssize_t sent = ::send(socket.get(), all.data() + at, all.size() - at, MSG_NOSIGNAL);
            if (sent <= 0) return;
            at += std::size_t(sent);
        }
    });
    std::vector<std::string> result;
    std::string message;
    while (result.size() < answers && read_framed(socket.get(), message)) result.push_back(message);
    ::shutdown(socket.get(), SHUT_RDWR);
    writer.join();
    return result;
}

OtherServer::OtherServer(Say say) : say_(std::move(say)), end_(::eventfd(0, EFD_CLOEXEC)) {
    for (int i = 0; i < 20 && tcp_.get() < 0; ++i) {
        udp_ = bound(SOCK_DGRAM, 0);
        port_ = port_of(udp_.get());
        tcp_ = bound(SOCK_STREAM, port_);
    }
    if (tcp_.get() < 0 || ::listen(tcp_.get(), 16) != 0) throw std::runtime_error("no port is free");
    thread_ = std::thread([this] { serve(); });
}

OtherServer::~OtherServer() {
    const std::uint64_t one = 1;
    (void)!::write(end_.get(), &one, sizeof one);
    thread_.join();
}

std::vector<std::string> OtherServer::answer(const std::string& message, bool is_tcp) {
    const PacketHolder asked = parse(message);
    if (asked == nullptr) return {};
    const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(asked.get()), 0);
    const std::string text = taken(ldns_rdf2str(ldns_rr_owner(question))) + " " +
                             taken(ldns_rr_type2str(ldns_rr_get_type(question)));
    ++(is_tcp ? asked_by_tcp_ : asked_);
    const Saying saying = say_(text);
    if (saying.is_silent) return {};
    const PacketHolder packet(ldns_pkt_new(), ldns_pkt_free);
    ldns_pkt_set_id(packet.get(), ldns_pkt_id(asked.get()));
    ldns_pkt_set_qr(packet.get(), true);
    ldns_pkt_set_ra(packet.get(), true);
    ldns_pkt_set_rcode(packet.get(), std::uint8_t(saying.code));
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question));
    ldns_pkt_set_tc(packet.get(), saying.is_truncated && !is_tcp);
    if (!saying.is_truncated || is_tcp)
        for (const std::string& record : saying.answers) push(packet.get(), LDNS_SECTION_ANSWER, record);
    for (const std::string& record : saying.authority) push(packet.get(), LDNS_SECTION_AUTHORITY, record);
    std::vector<std::string> messages{serialize(packet.get())};
    if (saying.has_wrong_id) {
        messages.insert(messages.begin(), messages.front());
        messages.front()[0] = char(messages.front()[0] + 1);
    }
    return messages;
}

void OtherServer::serve() {
    for (;;) {
        std::array<pollfd, 3> waiting{pollfd{end_.get(), POLLIN, 0}, pollfd{udp_.get(), POLLIN, 0},
                                      pollfd{tcp_.get(), POLLIN, 0}};
        ::poll(waiting.data(), waiting.size(), -1);
        if (waiting[0].revents != 0) return;
        if (waiting[1].revents != 0) {
            std::string message(4096, '\0');
            sockaddr_in peer{};
            socklen_t size = sizeof peer;
            const ssize_t count = ::recvfrom(udp_.get(), message.data(), message.size(), 0,
                                             reinterpret_cast<sockaddr*>(&peer), &size);
            message.resize(count < 0 ? 0 : std::size_t(count));
            for (const std::string& reply : answer(message, false))
                ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
        }
        if (waiting[2].revents != 0) {
            const base::FileDescriptor client(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            std::string message;
            if (!read_framed(client.get(), message)) continue;
            for (const std::string& reply : answer(message, true)) {
                const std::string framed = with_length(reply);
                ::send(client.get(), framed.data(), framed.size(), MSG_NOSIGNAL);
            }
        }
    }
}

void DnsTest::start(const Json& config) {
    plugin_ = std::make_unique<PluginLibrary>(KEELSON_TEST_PLUGINS "/dns.so", directory_.path());
    const PluginReply started = plugin_->start(config);
    ASSERT_TRUE(started.ok()) << started.message();
}

PluginReply DnsTest::configure(const std::vector<std::string>& upstreams, const Json& more) {
    if (plugin_ == nullptr) start();
    Json request = {
        {"listen", {"127.0.0.1:0"}}, {"zone", "cluster.local"}, {"upstreams", upstreams}, {"podNames", true}};
    request.update(more);
    PluginReply reply = plugin_->call("keelson.network.dns/0", "configure", request);
    const PluginReply state = plugin_->call("keelson.network.dns/0", "state", Json::object());
    if (state.ok() && !state.document["addresses"].empty()) {
        const std::string address = state.document["addresses"][0];
        port_ = std::stoi(address.substr(address.rfind(':') + 1));
    }
    return reply;
}

PluginReply DnsTest::serve(const std::vector<std::string>& upstreams) {
    PluginReply reply = configure(upstreams);
    return reply.ok() ? apply({}, true) : reply;
}

PluginReply DnsTest::apply(const std::vector<Json>& set, bool full, const std::vector<Json>& removed,
                           bool more) {
    Json request = {{"generation", generation_ + 1}, {"full", full}, {"set", set}, {"removed", removed}};
    if (more) request["more"] = true;
    PluginReply reply = plugin_->call("keelson.network.dns/0", "apply", request);
    if (!more) ++generation_;
    return reply;
}

void DnsTest::apply_services() {
    const PluginReply reply =
        apply({record("web.default.svc.cluster.local", "A", {"10.96.0.10"}),
               record("web.default.svc.cluster.local", "AAAA", {"fd00::a"}),
               record("_http._tcp.web.default.svc.cluster.local", "SRV",
                      {"0 100 80 web.default.svc.cluster.local"}),
               record("10.0.96.10.in-addr.arpa", "PTR", {"web.default.svc.cluster.local"}),
               record("db.default.svc.cluster.local", "A", {"10.244.0.5", "10.244.0.6", "10.244.0.7"}),
               record("db-0.db.default.svc.cluster.local", "A", {"10.244.0.5"}),
               record("alias.default.svc.cluster.local", "CNAME", {"web.default.svc.cluster.local"}),
               record("out.default.svc.cluster.local", "CNAME", {"www.example.org"}),
               record("loop.default.svc.cluster.local", "CNAME", {"loop.default.svc.cluster.local"}),
               record("dns-version.cluster.local", "TXT", {"\"1.1.0\""})},
              true);
    ASSERT_TRUE(reply.ok()) << reply.message();
}

}  // namespace keelson::testing
