#include "kernel/admin/health_check_ports.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "kernel/base/log.h"

namespace keelson::admin {
namespace {

constexpr int kWaitingConnections = 16;
constexpr int kThreads = 2;

// What one port says now.
struct Said {
    std::mutex mutex;
    HealthCheckAnswer answer;
};

class Answering final : public Poco::Net::HTTPRequestHandler {
  public:
    explicit Answering(std::shared_ptr<Said> said) : said_(std::move(said)) {}

    void handleRequest(Poco::Net::HTTPServerRequest&, Poco::Net::HTTPServerResponse& response) override {
        HealthCheckAnswer answer;
        {
            const std::lock_guard lock(said_->mutex);
            answer = said_->answer;
        }
        const nlohmann::ordered_json document = {
            {"service", {{"namespace", answer.namespace_name}, {"name", answer.service}}},
            {"localEndpoints", answer.local_endpoints},
            {"serviceProxyHealthy", true}};
        const std::string text = document.dump(4) + "\n";
        response.setStatus(answer.local_endpoints > 0 ? Poco::Net::HTTPResponse::HTTP_OK
                                                      : Poco::Net::HTTPResponse::HTTP_SERVICE_UNAVAILABLE);
        response.setContentType("application/json");
        response.set("X-Content-Type-Options", "nosniff");
        response.set("X-Load-Balancing-Endpoint-Weight", std::to_string(answer.local_endpoints));
        response.sendBuffer(text.data(), text.size());
    }

  private:
    std::shared_ptr<Said> said_;
};

class Factory final : public Poco::Net::HTTPRequestHandlerFactory {
  public:
    explicit Factory(std::shared_ptr<Said> said) : said_(std::move(said)) {}
    Poco::Net::HTTPRequestHandler* createRequestHandler(const Poco::Net::HTTPServerRequest&) override {
        return new Answering(said_);  // Poco owns it
    }

  private:
    std::shared_ptr<Said> said_;
};

// "::" takes IPv4 as well; where there is no IPv6, IPv4 alone.
Poco::Net::ServerSocket listen(std::uint16_t port) {
    Poco::Net::ServerSocket socket;
    try {
        socket.bind6(Poco::Net::SocketAddress("::", port), true, false);
    } catch (const Poco::Exception&) {
        socket = Poco::Net::ServerSocket();
        socket.bind(Poco::Net::SocketAddress("0.0.0.0", port), true);
    }
    socket.listen(kWaitingConnections);
    return socket;
}

class Port {
  public:
    explicit Port(const HealthCheckAnswer& answer) {
        say(answer);
        Poco::Net::HTTPServerParams::Ptr parameters = new Poco::Net::HTTPServerParams;
        parameters->setMaxThreads(kThreads);
        parameters->setMaxQueued(kWaitingConnections);
        parameters->setTimeout(Poco::Timespan(5, 0));
        parameters->setKeepAlive(false);
        server_ =
            std::make_unique<Poco::Net::HTTPServer>(new Factory(said_), listen(answer.port), parameters);
        server_->start();
    }
    ~Port() { server_->stopAll(true); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    void say(const HealthCheckAnswer& answer) {
        const std::lock_guard lock(said_->mutex);
        said_->answer = answer;
    }

  private:
    std::shared_ptr<Said> said_ = std::make_shared<Said>();
    std::unique_ptr<Poco::Net::HTTPServer> server_;
};

class Ports final : public HealthCheckPorts {
  public:
    void set(const std::vector<HealthCheckAnswer>& answers) override {
        const std::lock_guard lock(mutex_);
        std::map<std::uint16_t, std::unique_ptr<Port>> next;
        for (const HealthCheckAnswer& answer : answers) {
            const auto present = ports_.find(answer.port);
            if (present == ports_.end()) {
                open(answer, next);
                continue;
            }
            present->second->say(answer);
            next.insert(ports_.extract(present));
        }
        ports_ = std::move(next);
    }

  private:
    static void open(const HealthCheckAnswer& answer, std::map<std::uint16_t, std::unique_ptr<Port>>& into) {
        try {
            into.emplace(answer.port, std::make_unique<Port>(answer));
        } catch (const Poco::Exception& problem) {
            base::log_warning("a health check node port cannot be opened",
                              {{"port", answer.port},
                               {"service", answer.namespace_name + "/" + answer.service},
                               {"reason", problem.displayText()}});
        }
    }

    std::mutex mutex_;
    std::map<std::uint16_t, std::unique_ptr<Port>> ports_;
};

}  // namespace

std::unique_ptr<HealthCheckPorts> HealthCheckPorts::make() {
    return std::make_unique<Ports>();
}

}  // namespace keelson::admin
