// Service addresses by this process: the kernel's packet filter hands it the connections, and it makes others
// to the backends. A stop of the process ends its connections; the rules stay, and are mended by the next.
#include <sys/resource.h>

#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "carrier.h"
#include "routes.h"
#include "sockets.h"
#include "stack/netlink.h"
#include "stack/rule_proxy.h"

namespace {

namespace proxy = keelson::proxy;
using namespace keelson::userspace;
using namespace keelson::stack;
using keelson::Code;
using keelson::Descriptor;
using keelson::Error;

constexpr std::uint32_t mark = 1U << 14;

struct Config {
    std::int32_t threads = 2;
    std::int32_t connections = 16'384;
    std::int32_t udp_seconds = 60;
    bool keep_sources = true;
    KEELSON_FIELDS(field.optional("threads", self.threads)
                       .optional("connections", self.connections)
                       .optional("udpSeconds", self.udp_seconds)
                       .optional("keepSources", self.keep_sources))
};

Config read_config(const keelson::Json& document) {
    const auto config = keelson::read_as<Config>(document);
    if (config.threads < 1 || config.threads > 64)
        throw Error(Code::invalid, "there are 1 to 64 threads", "threads");
    if (config.connections < config.threads || config.connections > 1'000'000)
        throw Error(Code::invalid, "there is at least one connection a thread, at most a million of all",
                    "connections");
    if (config.udp_seconds < 1) throw Error(Code::invalid, "it takes at least a second", "udpSeconds");
    return config;
}

// A connection takes two, and up to four more while it is moving.
void allow_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

class Userspace : public RuleProxy {
  public:
    Userspace(keelson::Host host, const keelson::Json& document)
        : RuleProxy(host, mark, "KEEL-U-"), config_(read_config(document)) {
        allow_descriptors();
    }

  private:
    struct Placed {
        RoutePointer route;
        // For UDP: who has its socket, under which number, at which port.
        Carrier* carrier = nullptr;
        std::uint64_t number = 0;
        std::uint16_t port = 0;
    };

    // All carriers listen at one port of each family, and at the one of the instance before this one if it is
    // to be had: then the rules that are there lead here already.
    void start_carriers() {
        tcp_ports_ = {open_port(AF_INET), open_port(AF_INET6)};
        Limits limits;
        limits.connections = std::size_t(config_.connections / config_.threads);
        limits.udp_idle = std::chrono::seconds(config_.udp_seconds);
        for (int count = 0; count < config_.threads; ++count) {
            std::vector<Descriptor> listeners;
            for (const int family : {AF_INET, AF_INET6})
                if (const std::uint16_t port = tcp_port(family); port != 0)
                    listeners.push_back(listen_tcp(family, port, true));
            carriers_.push_back(std::make_unique<Carrier>(std::move(listeners), current_, limits));
        }
        reservations_.clear();
    }
    std::uint16_t open_port(int family) {
        const std::string path = host_.state_directory() + (family == AF_INET ? "/port" : "/port6");
        unsigned port = 0;
        std::ifstream(path) >> port;
        try {
            reservations_.push_back(listen_tcp(family, std::uint16_t(port), true));
        } catch (const Error& error) {
            if (port == 0) {
                host_.warn((family == AF_INET ? "no IPv4: " : "no IPv6: ") + std::string(error.what()));
                return 0;
            }
            reservations_.push_back(listen_tcp(family, 0, true));
        }
        const std::uint16_t got = port_of(reservations_.back());
        std::ofstream(path) << got << '\n';
        return got;
    }
    [[nodiscard]] std::uint16_t tcp_port(int family) const { return tcp_ports_[family == AF_INET ? 0 : 1]; }

    void on_configure(const Surroundings& surroundings) override {
        if (carriers_.empty()) start_carriers();
        cluster_ = surroundings.cluster;
        publish();
    }

    void on_full(const proxy::Apply& change) override {
        std::set<std::string> wanted;
        for (const proxy::Service& service : change.set) wanted.insert(service.id);
        std::vector<std::string> unwanted;
        for (const auto& [id, placed] : routes_by_id_)
            if (!wanted.contains(id)) unwanted.push_back(id);
        for (const std::string& id : unwanted) end_route(id);
    }

    void on_remove(const std::string& id) override { end_route(id); }
    // Who is sent here finds a way on.
    void before_write() override { publish(); }

    void end_route(const std::string& id) {
        const auto found = routes_by_id_.find(id);
        if (found == routes_by_id_.end()) return;
        if (found->second.carrier != nullptr) found->second.carrier->remove_service(found->second.number);
        routes_by_id_.erase(found);
    }

    std::optional<Service> place(Service service, std::string& problem) override {
        if (service.protocol == "SCTP")
            problem = "this proxy carries TCP and UDP: choose iptables or ipvs for SCTP";
        else if (service.protocol == "TCP" && tcp_port(service.family()) == 0)
            problem = "this node has no sockets of that family";
        else
            return catch_here(std::move(service));
        return std::nullopt;
    }

    // To the kernel there is one backend, this process; who may use it and who is refused is the same. Only
    // who is to be seen as the client that he is goes to the backends without it.
    Service catch_here(Service service) {
        const std::uint16_t port = port_for(service);
        const bool keeps_sources = service.is_local && config_.keep_sources;
        const Backend here{Address{.family = service.family()}, port, false};
        if (!service.backends.empty()) service.backends = {here};
        if (keeps_sources) return service;
        service.affinity_seconds = 0;
        if (!service.external_backends.empty()) service.external_backends = {here};
        return service;
    }

    // Gives the port that its traffic is sent to.
    std::uint16_t port_for(const Service& service) {
        auto route = std::make_shared<ServiceRoute>(service);
        const auto found = routes_by_id_.find(service.id);
        if (found != routes_by_id_.end() && !is_same_end(found->second.route->service(), service))
            end_route(service.id);
        Placed& placed = routes_by_id_[service.id];
        if (placed.route != nullptr) route->take_over(*placed.route);
        placed.route = std::move(route);
        if (service.protocol == "TCP") return tcp_port(service.family());
        if (placed.carrier != nullptr) {
            placed.carrier->change_service(placed.number, placed.route);
            return placed.port;
        }
        Descriptor socket = bind_udp(service.family());
        placed.port = port_of(socket);
        placed.carrier = carriers_[++next_carrier_ % carriers_.size()].get();
        placed.number = placed.carrier->add_service(std::move(socket), placed.route);
        return placed.port;
    }
    static bool is_same_end(const Service& one, const Service& other) {
        return one.protocol == other.protocol && one.address == other.address && one.port == other.port &&
               one.kind == other.kind;
    }

    void publish() {
        std::set<Address> own;
        for (const Prefix& prefix : Netlink().addresses()) own.insert(prefix.address);
        auto routes = std::make_shared<Routes>(cluster_, std::move(own));
        for (const auto& [id, placed] : routes_by_id_)
            if (placed.route->service().protocol == "TCP") routes->add(placed.route);
        current_.set(std::move(routes));
    }

    const Config config_;
    std::vector<Prefix> cluster_;
    std::map<std::string, Placed> routes_by_id_;
    CurrentRoutes current_;
    std::array<std::uint16_t, 2> tcp_ports_{};
    std::vector<Descriptor> reservations_;
    std::size_t next_carrier_ = 0;
    std::vector<std::unique_ptr<Carrier>> carriers_;  // end before what they look into
};

}  // namespace

KEELSON_PLUGIN(Userspace, "dev.keelson.userspace", "0.1.0")
