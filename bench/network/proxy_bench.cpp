// Measures service proxies in network namespaces of their own. Prints one JSON document a line; values are
// medians of several runs. Needs root.
//
//     proxy_bench sync PLUGIN SERVICES [RUNS]     first sync and one change of so many services with two
//                                                 backends, and iptables-legacy-restore, or ipvsadm -R, of
//                                                 the same
//     proxy_bench connect PLUGIN SERVICES [RUNS]  connections one after another, and of four clients, from a
//     pod by a
//                                                 service, with so many services there; PLUGIN "none":
//                                                 straight to the pod
//     proxy_bench relay PLUGIN RUNS               connections and bytes a second by a service and by haproxy
//     on the
//                                                 same node
#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/plugins/network/proxy_fixture.h"
#include "tests/support/plugin_library.h"

namespace {

using namespace keelson::testing;  // NOLINT: a program of its own
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double processor_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) * 1e3 + double(time.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values.at(values.size() / 2);
}

double rounded(double value) {
    return double(long(value * 100 + 0.5)) / 100;
}

std::string address_of(int number, int base) {
    return "10." + std::to_string(base + number / 62500) + "." + std::to_string(number / 250 % 250) + "." +
           std::to_string(number % 250 + 1);
}

Json service(int number, int shift = 0) {
    Json one = service_document("ns/service-" + std::to_string(number) + ":http", address_of(number, 96),
                                {backend_document(address_of(2 * number + shift, 128), 8080),
                                 backend_document(address_of(2 * number + 1 + shift, 128), 8080)});
    one["name"] = "default/service-" + std::to_string(number) + ":http";
    return one;
}

std::vector<Json> services(int count) {
    std::vector<Json> all;
    for (int number = 0; number < count; ++number) all.push_back(service(number));
    return all;
}

// As the kernel of Keelson sends it: in parts of at most so many services.
constexpr int services_in_part = 20'000;

class Plugin {
  public:
    Plugin(const NetworkNamespace& node, const std::string& name) : node_(node), plugin_(load(name, state_)) {
        check(invoke(keelson::plugin::kStart, "{}"));
        const Json node_document = {{"name", "node"},
                                    {"addresses", {"192.0.2.1", "2001:db8::1"}},
                                    {"podCidrs", {"10.244.1.0/24", "10.245.0.0/16"}}};
        call("configure",
             Json{{"node", node_document}, {"clusterCidrs", {"10.244.0.0/16", "10.128.0.0/9"}}}.dump());
    }
    ~Plugin() { invoke(keelson::plugin::kStop, "{}"); }

    // Milliseconds of the calls themselves.
    double used_ms = 0;  // of the processor, so far
    double call(const std::string& method, const std::string& request) {
        return check(
            invoke(keelson::plugin::find_method("keelson.network.proxy/0", method).value(), request));
    }
    double apply(bool is_full, const std::vector<Json>& set) {
        ++generation_;
        std::vector<std::string> parts;
        for (std::size_t first = 0; first == 0 || first < set.size(); first += services_in_part) {
            const std::size_t last = std::min(first + services_in_part, set.size());
            const Json some(std::vector<Json>(set.begin() + long(first), set.begin() + long(last)));
            parts.push_back(Json{
                {"generation", generation_},
                {"full", is_full},
                {"more", last < set.size()},
                {"set", some},
                {"removed",
                 Json::array()}}.dump());
        }
        double total = 0;
        for (const std::string& part : parts) total += call("apply", part);
        return total;
    }

  private:
    static std::unique_ptr<keelson::plugin::LocalPlugin> load(const std::string& name,
                                                              const TemporaryDirectory& state) {
        keelson::plugin::HostServices host;
        host.state_directory = state.path();
        host.log = [](int, std::string_view) {};
        host.metric = [](int, std::string_view, double, std::string_view) {};
        host.event = [](std::string_view) {};
        host.reconcile = [](std::string_view) {};
        host.monotonic_us = [] {
            return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
                .count();
        };
        host.unix_us = [] { return std::int64_t(0); };
        auto loaded = keelson::plugin::load_plugin(KEELSON_TEST_PLUGINS "/" + name + ".so",
                                                   "dev.keelson." + name, "0.1.0", host);
        if (!loaded) throw std::runtime_error(loaded.error().message());
        return std::move(*loaded);
    }
    struct Timed {
        keelson::plugin::Outcome outcome;
        double ms = 0;
        double processor_ms = 0;
    };
    Timed invoke(keelson::plugin::MethodId method, const std::string& request) {
        keelson::plugin::Invocation invocation;
        invocation.method = method;
        invocation.request = request;
        Timed timed;
        node_.run([&] {
            const double processor = processor_ms();
            const auto start = Clock::now();
            timed.outcome = plugin_->invoke(invocation);
            timed.ms = ms_since(start);
            timed.processor_ms = processor_ms() - processor;
        });
        return timed;
    }
    double check(const Timed& timed) {
        used_ms += timed.processor_ms;
        if (timed.outcome.code != KEELSON_OK) throw std::runtime_error(timed.outcome.body);
        return timed.ms;
    }

    const NetworkNamespace& node_;
    TemporaryDirectory state_;
    std::unique_ptr<keelson::plugin::LocalPlugin> plugin_;
    std::int64_t generation_ = 0;
};

// What a program of others does with the same table, and with one entry more.
struct Peer {
    std::string save, restore, one;
};
Peer peer_of(const std::string& plugin) {
    if (plugin == "ipvs")
        return {"ipvsadm -Sn", "ipvsadm -R",
                "-A -t 10.100.0.1:80 -s rr\n-a -t 10.100.0.1:80 -r 10.129.0.1:8080 -m -w 1\n-a -t "
                "10.100.0.1:80 -r "
                "10.129.0.2:8080 -m -w 1\n"};
    return {"iptables-legacy-save -t nat", "iptables-legacy-restore --noflush",
            "*nat\n-A KEELSON-VIP -d 10.100.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination "
            "10.129.0.1:8080\nCOMMIT\n"};
}

double time_restore(const NetworkNamespace& space, const Peer& peer, const std::string& file) {
    const auto start = Clock::now();
    space.command(peer.restore + " < " + file);
    return ms_since(start);
}

void measure_restore(const NetworkNamespace& node, const Peer& peer, std::vector<double>& first,
                     std::vector<double>& change) {
    const TemporaryDirectory directory;
    const std::string all = directory.path() + "/all";
    const std::string one = directory.path() + "/one";
    node.command(peer.save + " > " + all);
    std::ofstream(one) << peer.one;
    const NetworkNamespace fresh;
    first.push_back(time_restore(fresh, peer, all));
    change.push_back(time_restore(fresh, peer, one));
}

int sync(const std::string& name, int count, int runs) {
    std::vector<double> first;
    std::vector<double> change;
    std::vector<double> first_processor;
    std::vector<double> change_processor;
    std::vector<double> again;
    std::vector<double> restart;
    std::vector<double> state;
    std::vector<double> restore_first;
    std::vector<double> restore_change;
    const std::vector<Json> all = services(count);
    for (int run = 0; run < runs; ++run) {
        const NetworkNamespace node;
        {
            Plugin plugin(node, name);
            plugin.used_ms = 0;
            first.push_back(plugin.apply(true, all));
            first_processor.push_back(std::exchange(plugin.used_ms, 0));
            for (int number = 0; number < 5; ++number)
                change.push_back(plugin.apply(false, {service(count / 2 + number, 100)}));
            change_processor.push_back(plugin.used_ms / 5);
            again.push_back(plugin.apply(true, all));
            state.push_back(plugin.call("state", "{}"));
        }
        if (name != "userspace") measure_restore(node, peer_of(name), restore_first, restore_change);
        Plugin next(node, name);
        restart.push_back(next.apply(true, all));
        next.call("clear", "{}");
    }
    Json row = {{"row", "sync"},
                {"plugin", name},
                {"services", count},
                {"first_ms", rounded(median(first))},
                {"change_ms", rounded(median(change))},
                {"first_processor_ms", rounded(median(first_processor))},
                {"change_processor_ms", rounded(median(change_processor))},
                {"full_again_ms", rounded(median(again))},
                {"new_instance_ms", rounded(median(restart))},
                {"state_ms", rounded(median(state))}};
    if (!restore_first.empty()) {
        row["restore_first_ms"] = rounded(median(restore_first));
        row["restore_change_ms"] = rounded(median(restore_change));
    }
    std::cout << row.dump() << std::endl;
    return 0;
}

// --- connections ---

constexpr int clients = 4;
constexpr int connections_each = 1500;

// A connection that has ended keeps its port for a minute: with the usual 28,000 of them no more than 470
// connections a second can be made from one address to one port, whatever carries them.
void has_ports_for_many(const NetworkNamespace& space) {
    space.command(
        "echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range; echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse");
}

std::vector<double> latencies(const NetworkNamespace& from, const Target& target, int connections) {
    std::vector<double> micros;
    from.run([&] {
        for (int at = 0; at < connections; ++at) {
            const auto start = Clock::now();
            if (!ask_here(target).ok()) throw std::runtime_error("a connection was not answered");
            micros.push_back(ms_since(start) * 1000);
        }
    });
    return micros;
}

double connections_per_second(const NetworkNamespace& from, const Target& target) {
    std::atomic<int> unanswered = 0;
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int at = 0; at < clients; ++at)
        threads.emplace_back([&] {
            for (const Heard& heard : ask_many(from, target, connections_each))
                if (!heard.ok()) ++unanswered;
        });
    for (std::thread& one : threads) one.join();
    if (unanswered != 0) throw std::runtime_error("connections were not answered");
    return clients * connections_each / (ms_since(start) / 1000);
}

int connect(const std::string& name, int count, int runs) {
    ProxyWorld world;
    constexpr int connections = 2000;
    std::unique_ptr<Plugin> plugin;
    Target target{world.pod("b").address, ProxyWorld::port};
    if (name != "none") {
        plugin = std::make_unique<Plugin>(world.node, name);
        std::vector<Json> all = services(count - 1);
        all.push_back(service_document("target", "10.111.200.200", {backend_document(world.pod("b"))}));
        plugin->apply(true, all);
        target = {"10.111.200.200", 80};
    }
    has_ports_for_many(world.pod("a").space);
    has_ports_for_many(world.node);
    std::vector<double> p50;
    std::vector<double> p99;
    std::vector<double> rate;
    for (int run = 0; run < runs; ++run) {
        std::vector<double> micros = latencies(world.pod("a").space, target, connections);
        std::ranges::sort(micros);
        p50.push_back(micros[micros.size() / 2]);
        p99.push_back(micros[micros.size() * 99 / 100]);
        rate.push_back(connections_per_second(world.pod("a").space, target));
    }
    std::cout << Json{{"row", "connect"},
                      {"plugin", name},
                      {"services", count},
                      {"p50_us", long(median(p50))},
                      {"p99_us", long(median(p99))},
                      {"per_second", long(median(rate))}}
                     .dump()
              << std::endl;
    if (plugin) plugin->call("clear", "{}");
    return 0;
}

// --- a proxy that carries connections itself, and haproxy ---

constexpr int bulk_port = 9000;
constexpr std::size_t bulk_bytes = std::size_t(192) << 20;
constexpr int bulk_connections = 4;

// Sends much to whoever connects, until it is ended.
class BulkServer {
  public:
    explicit BulkServer(const NetworkNamespace& space) {
        space.run([&] {
            listening_ = keelson::base::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(bulk_port);
            if (::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
                ::listen(listening_.get(), 64) != 0)
                throw std::runtime_error("the bulk server cannot listen");
        });
        thread_ = std::thread([this] {
            while (true) {
                const int accepted = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
                if (accepted < 0) return;
                senders_.emplace_back([accepted] { send_all(accepted); });
            }
        });
    }
    ~BulkServer() {
        ::shutdown(listening_.get(), SHUT_RDWR);
        thread_.join();
        for (std::thread& sender : senders_) sender.join();
    }
    BulkServer(const BulkServer&) = delete;
    BulkServer& operator=(const BulkServer&) = delete;

  private:
    static void send_all(int socket) {
        const keelson::base::FileDescriptor owner(socket);
        const std::vector<char> data(std::size_t(256) << 10);
        for (std::size_t sent = 0; sent < bulk_bytes;) {
            const ssize_t size = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
            if (size <= 0) return;
            sent += std::size_t(size);
        }
    }

    keelson::base::FileDescriptor listening_;
    std::thread thread_;
    std::vector<std::thread> senders_;
};

std::size_t receive_all(const NetworkNamespace& from, const Target& target) {
    std::size_t total = 0;
    from.run([&] {
        const keelson::base::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(std::uint16_t(target.port));
        ::inet_pton(AF_INET, target.address.c_str(), &address.sin_addr);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
        std::vector<char> buffer(std::size_t(256) << 10);
        for (ssize_t size = 0; (size = ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0;)
            total += std::size_t(size);
    });
    return total;
}

double megabytes_per_second(const NetworkNamespace& from, const Target& target) {
    std::atomic<std::size_t> total = 0;
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int at = 0; at < bulk_connections; ++at)
        threads.emplace_back([&] { total += receive_all(from, target); });
    for (std::thread& one : threads) one.join();
    if (total != bulk_bytes * bulk_connections) throw std::runtime_error("bytes are missing");
    return double(total) / 1e6 / (ms_since(start) / 1000);
}

class Haproxy {
  public:
    Haproxy(const NetworkNamespace& node, const std::string& backend) {
        const std::string file = directory_.path() + "/haproxy.cfg";
        std::ofstream(file) << "global\n nbthread 2\n maxconn 4000\ndefaults\n mode tcp\n"
                               " timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
                               "listen small\n bind :18080\n server b "
                            << backend << ":" << ProxyWorld::port << "\nlisten bulk\n bind :19000\n server b "
                            << backend << ":" << bulk_port << "\n";
        node.command("haproxy -D -f " + file + " -p " + directory_.path() + "/pid");
    }
    ~Haproxy() {
        int pid = 0;
        std::ifstream(directory_.path() + "/pid") >> pid;
        if (pid > 1) ::kill(pid, SIGTERM);
    }
    Haproxy(const Haproxy&) = delete;
    Haproxy& operator=(const Haproxy&) = delete;

  private:
    TemporaryDirectory directory_;
};

int relay(const std::string& name, int runs) {
    ProxyWorld world;
    const NetworkNamespace& from = world.pod("a").space;
    const BulkServer bulk(world.pod("b").space);
    Plugin plugin(world.node, name);
    plugin.apply(true,
                 {service_document("small", "10.96.0.10", {backend_document(world.pod("b"))}),
                  service_document("bulk", "10.96.0.11", {backend_document(world.pod("b"), bulk_port)})});
    const Haproxy haproxy(world.node, world.pod("b").address);
    has_ports_for_many(from);
    has_ports_for_many(world.node);
    std::vector<double> rate[2];
    std::vector<double> bytes[2];
    for (int run = 0; run < runs; ++run) {
        rate[0].push_back(connections_per_second(from, {"10.96.0.10", 80}));
        rate[1].push_back(connections_per_second(from, {"10.244.1.1", 18080}));
        bytes[0].push_back(megabytes_per_second(from, {"10.96.0.11", 80}));
        bytes[1].push_back(megabytes_per_second(from, {"10.244.1.1", 19000}));
    }
    std::cout << Json{{"row", "relay"},
                      {"plugin", name},
                      {"connections_per_second", long(median(rate[0]))},
                      {"haproxy_connections_per_second", long(median(rate[1]))},
                      {"connections_ratio", rounded(median(rate[0]) / median(rate[1]))},
                      {"megabytes_per_second", long(median(bytes[0]))},
                      {"haproxy_megabytes_per_second", long(median(bytes[1]))},
                      {"bytes_ratio", rounded(median(bytes[0]) / median(bytes[1]))}}
                     .dump()
              << std::endl;
    plugin.call("clear", "{}");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("proxy_bench sync|connect PLUGIN SERVICES [RUNS]\nproxy_bench relay PLUGIN RUNS\n",
                   stderr);
        return 2;
    }
    try {
        const std::string what = argv[1];
        const int runs = argc > 4 ? std::atoi(argv[4]) : 5;
        if (what == "relay") return relay(argv[2], std::atoi(argv[3]));
        return what == "sync" ? sync(argv[2], std::atoi(argv[3]), runs)
                              : connect(argv[2], std::atoi(argv[3]), runs);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "proxy_bench: %s\n", error.what());
        return 1;
    }
}
