// The cluster's DNS server: answers from the records that the kernel gives, and asks others about other
// names.
#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keelson/network.hpp"
#include "responder.h"
#include "tcp.h"
#include "udp.h"

namespace {

namespace dns = keelson::dns;
using namespace keelson::name_server;
using keelson::Code;
using keelson::Descriptor;
using keelson::Error;

constexpr int port_choices = 16;

struct Config {
    std::int64_t cache_bytes = std::int64_t(16) << 20;
    std::int32_t upstream_timeout_ms = 1000;
    std::int32_t tcp_connections = 256;
    std::int32_t tcp_idle_seconds = 10;
    KEELSON_FIELDS(field.optional("cacheBytes", self.cache_bytes)
                       .optional("upstreamTimeoutMs", self.upstream_timeout_ms)
                       .optional("tcpConnections", self.tcp_connections)
                       .optional("tcpIdleSeconds", self.tcp_idle_seconds))
};

Config read_config(const keelson::Json& document) {
    const auto config = keelson::read_as<Config>(document);
    const bool is_sane = config.cache_bytes >= 0 && config.upstream_timeout_ms >= 1 &&
                         config.tcp_connections >= 1 && config.tcp_idle_seconds >= 1;
    if (!is_sane) throw Error(Code::invalid, "limits of the DNS server are above zero");
    return config;
}

ForwarderLimits forwarder_limits(const Config& config) {
    ForwarderLimits limits;
    limits.cache_bytes = std::size_t(config.cache_bytes);
    limits.attempt_timeout = std::chrono::milliseconds(config.upstream_timeout_ms);
    return limits;
}

TcpLimits tcp_limits(const Config& config) {
    return {std::size_t(config.tcp_connections), std::chrono::seconds(config.tcp_idle_seconds)};
}

// Both sockets of an address. With port 0 the system chooses one that is free for both.
struct Sockets {
    Descriptor udp;
    Descriptor tcp;
};

Sockets bind_both(Endpoint endpoint) {
    const bool is_any_port = endpoint.port() == 0;
    for (int choice = 1;; ++choice) {
        Sockets sockets;
        sockets.udp = bind_udp(endpoint);
        Endpoint bound = endpoint;
        bound.set_port(local_endpoint(sockets.udp.get()).port());
        try {
            sockets.tcp = bind_tcp(bound);
            return sockets;
        } catch (const Error&) {
            if (!is_any_port || choice == port_choices) throw;
        }
    }
}

// What goes from an instance to the next: two sockets come along for each of these, first that of UDP.
struct GivenSockets {
    std::int32_t version = 1;
    std::vector<std::string> listen;
    KEELSON_FIELDS(field.required("version", self.version).required("listen", self.listen))
};

// Changes as they came, understood.
struct Changes {
    std::vector<NamedSet> set;
    std::vector<std::pair<std::string, std::uint16_t>> removed;

    void apply_to(Zone& zone) {
        for (const auto& [name, type] : removed) zone.remove(name, type);
        for (NamedSet& named : set) zone.put(std::move(named));
    }
};

class NameServer : public keelson::DnsPlugin {
  public:
    NameServer(keelson::Host host, const keelson::Json& document)
        : host_(host), config_(read_config(document)) {
        loop_.run([&] {
            forwarder_ = std::make_unique<Forwarder>(loop_, forwarder_limits(config_));
            responder_ = std::make_unique<Responder>(*forwarder_);
            connections_ = std::make_unique<TcpConnections>(loop_, *responder_, tcp_limits(config_));
        });
    }
    ~NameServer() {
        loop_.run([&] {
            listeners_.clear();
            connections_.reset();
            forwarder_.reset();
            responder_.reset();
        });
    }
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

    void configure(const dns::Configure& request) {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::vector<Endpoint> upstreams;
        for (const std::string& text : request.upstreams)
            upstreams.push_back(read_endpoint(text, "upstreams", false));
        Authority checked(request.zone, request.pod_names, {});
        std::vector<Listener> fresh = open_missing(request.listen);
        loop_.run([&] {
            replace_listeners(request.listen, fresh);
            update_serving();
            std::vector<std::string> addresses;
            for (const Listener& listener : listeners_)
                if (!listener.bound.is_any()) addresses.push_back(listener.bound.bytes());
            Authority authority(request.zone, request.pod_names, std::move(addresses));
            authority.set_serial(std::uint32_t(generation_));
            responder_->set_authority(std::move(authority));
            if (request.upstreams != upstreams_) forwarder_->set_upstreams(std::move(upstreams));
        });
        upstreams_ = request.upstreams;
    }

    dns::Applied apply(const dns::Apply& request) {
        const std::lock_guard<std::mutex> lock(mutex_);
        // The rest of another change never came.
        if (pending_ && (pending_->generation != request.generation || pending_->full != request.full))
            pending_.reset();
        if (!pending_) pending_.emplace(Pending{request.generation, request.full, {}});
        gather(request, pending_->changes);
        if (request.more) return {request.generation};
        Pending change = std::move(*pending_);
        pending_.reset();
        publish(change);
        generation_ = change.generation;
        return {generation_};
    }

    // --- handover: the sockets go over, with what waits in them; the records come from the kernel ---

    void quiesce() { set_parked(true); }
    void resume() { set_parked(false); }

    keelson::Json give(keelson::Descriptors& descriptors) {
        const std::lock_guard<std::mutex> lock(mutex_);
        GivenSockets given;
        for (const Listener& listener : listeners_) {
            given.listen.push_back(listener.text);
            descriptors.push_back(Descriptor::duplicate(listener.udp->descriptor()));
            descriptors.push_back(Descriptor::duplicate(listener.tcp->descriptor()));
        }
        return given;
    }

    void adopt(const keelson::Json& state, keelson::Descriptors descriptors) {
        const auto given = keelson::read_as<GivenSockets>(state);
        if (given.version != GivenSockets().version || descriptors.size() != 2 * given.listen.size())
            throw Error(Code::invalid, "these are not the sockets that this version takes over", "state");
        const std::lock_guard<std::mutex> lock(mutex_);
        std::vector<Listener> adopted;
        for (std::size_t at = 0; at < given.listen.size(); ++at)
            adopted.push_back(make_listener(
                given.listen[at], {std::move(descriptors[2 * at]), std::move(descriptors[2 * at + 1])}));
        loop_.run([&] { std::ranges::move(adopted, std::back_inserter(listeners_)); });
    }

    dns::State state() {
        const std::lock_guard<std::mutex> lock(mutex_);
        dns::State state;
        state.generation = generation_;
        for (const Listener& listener : listeners_) state.addresses.push_back(listener.bound.text());
        return state;
    }

  private:
    struct Listener {
        std::string text;  // as it was asked for
        Endpoint bound;
        std::unique_ptr<UdpListener> udp;
        std::unique_ptr<TcpListener> tcp;
    };
    struct Pending {
        std::int64_t generation = 0;
        bool full = false;
        Changes changes;
    };

    [[nodiscard]] bool is_open(const std::string& text) const {
        return std::ranges::any_of(listeners_,
                                   [&](const Listener& listener) { return listener.text == text; });
    }

    Listener make_listener(const std::string& text, Sockets sockets) {
        Listener listener;
        listener.text = text;
        listener.bound = local_endpoint(sockets.udp.get());
        listener.udp = std::make_unique<UdpListener>(loop_, *responder_, std::move(sockets.udp));
        listener.tcp = std::make_unique<TcpListener>(loop_, *connections_, std::move(sockets.tcp));
        return listener;
    }

    // Opened before anything is given up: when one cannot be, all stays as it is.
    std::vector<Listener> open_missing(const std::vector<std::string>& wanted) {
        std::vector<Listener> fresh;
        for (const std::string& text : wanted) {
            const Endpoint endpoint = read_endpoint(text, "listen", true);
            if (!is_open(text)) fresh.push_back(make_listener(text, bind_both(endpoint)));
        }
        return fresh;
    }

    void replace_listeners(const std::vector<std::string>& wanted, std::vector<Listener>& fresh) {
        std::erase_if(listeners_, [&](const Listener& listener) {
            return std::ranges::find(wanted, listener.text) == wanted.end();
        });
        std::ranges::move(fresh, std::back_inserter(listeners_));
    }

    void set_parked(bool is_parked) {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_parked_ = is_parked;
        loop_.run([this] { update_serving(); });
    }

    // Without records every name would be denied, and clients believe that for a while: questions wait for
    // the first ones.
    void update_serving() {
        const bool is_serving = has_records_ && !is_parked_;
        for (const Listener& listener : listeners_) {
            listener.udp->set_serving(is_serving);
            listener.tcp->set_serving(is_serving);
        }
    }

    // A record that makes no sense is left out: the others are served.
    void gather(const dns::Apply& request, Changes& changes) const {
        for (const dns::RecordKey& key : request.removed) {
            try {
                if (auto name = wire_name(key.name))
                    changes.removed.emplace_back(std::move(*name), read_type(key.type));
            } catch (const Error&) {
                // Of a type that was left out when it came: nothing is there to be removed.
            }
        }
        for (const dns::Record& record : request.set) {
            try {
                changes.set.push_back(read_record(record));
            } catch (const Error& error) {
                host_.warn("the record " + record.name + " " + record.type + " is left out: " + error.what());
            }
        }
    }

    // A whole zone is built here and only exchanged in the loop; what was there is freed here.
    void publish(Pending& change) {
        const auto serial = std::uint32_t(change.generation);
        std::unique_ptr<Zone> whole;
        if (change.full) {
            whole = std::make_unique<Zone>();
            change.changes.apply_to(*whole);
        }
        loop_.run([&] {
            if (whole != nullptr)
                std::swap(responder_->zone(), whole);
            else
                change.changes.apply_to(*responder_->zone());
            responder_->authority().set_serial(serial);
            if (!std::exchange(has_records_, true)) update_serving();
        });
    }

    const keelson::Host host_;
    const Config config_;
    std::mutex mutex_;
    std::vector<std::string> upstreams_;
    std::int64_t generation_ = 0;
    std::optional<Pending> pending_;

    bool is_parked_ = false;

    // All below live in the loop's thread; listeners_ changes there only while mutex_ is held.
    bool has_records_ = false;
    Loop loop_;
    std::unique_ptr<Forwarder> forwarder_;
    std::unique_ptr<Responder> responder_;
    std::unique_ptr<TcpConnections> connections_;
    std::vector<Listener> listeners_;
};

}  // namespace

KEELSON_PLUGIN(NameServer, "dev.keelson.dns", "0.1.0")
