// Measures the DNS plugin on the loopback device, in a process of its own with the services of a cluster.
// Prints one JSON document.
//
//     dns_bench [SERVICES] [RUNS]
//
// First as many questions as are answered (so many always under way), then the given rate: how long each
// answer took.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/files.h"
#include "tests/support/plugin_library.h"

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using keelson::base::FileDescriptor;

constexpr int questions_of_run = 400'000;
constexpr int under_way = 128;
constexpr int paced_per_second = 50'000;
constexpr int paced_seconds = 3;
constexpr std::chrono::seconds patience(30);  // of one run
constexpr std::size_t batch = 32;
constexpr std::size_t answer_bytes = 1500;

// --- the server ---

Json record(const std::string& name, const std::string& type, const std::string& value) {
    return {{"name", name}, {"type", type}, {"ttlSeconds", 30}, {"values", {value}}};
}

std::string host_of(int number) {
    return "service-" + std::to_string(number) + ".namespace-" + std::to_string(number % 50) +
           ".svc.cluster.local";
}

std::vector<Json> records_of(int services) {
    std::vector<Json> records;
    for (int number = 0; number < services; ++number) {
        const std::string host = host_of(number);
        records.push_back(record(
            host, "A", "10.96." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1)));
        records.push_back(record("_http._tcp." + host, "SRV", "0 100 80 " + host));
    }
    return records;
}

// Tells its port and serves until the other end of the pipe is closed.
void serve(int services, int told, int until) {
    keelson::testing::TemporaryDirectory directory;
    keelson::testing::PluginLibrary plugin(KEELSON_TEST_PLUGINS "/dns.so", directory.path());
    const auto call = [&](const char* method, const Json& request) {
        const auto reply = plugin.call("keelson.network.dns/0", method, request);
        if (!reply.ok()) throw std::runtime_error(reply.message());
        return reply.document;
    };
    if (!plugin.start(Json::object()).ok()) throw std::runtime_error("the plugin does not start");
    call("configure", {{"listen", {"127.0.0.1:0"}},
                       {"zone", "cluster.local"},
                       {"upstreams", Json::array()},
                       {"podNames", true}});
    call("apply",
         {{"generation", 1}, {"full", true}, {"set", records_of(services)}, {"removed", Json::array()}});
    const std::string address = call("state", Json::object())["addresses"][0];
    const std::uint16_t port = std::uint16_t(std::stoi(address.substr(address.rfind(':') + 1)));
    if (::write(told, &port, sizeof port) != sizeof port) return;
    char nothing = 0;
    (void)!::read(until, &nothing, 1);
}

class Server {
  public:
    explicit Server(int services) {
        int told[2];
        int until[2];
        if (::pipe(told) != 0 || ::pipe(until) != 0) throw std::runtime_error("no pipe");
        process_ = ::fork();
        if (process_ == 0) {
            ::close(until[1]);
            try {
                serve(services, told[1], until[0]);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "dns_bench: %s\n", error.what());
            }
            ::_exit(0);
        }
        ::close(told[1]);
        ::close(until[0]);
        const FileDescriptor told_here(told[0]);
        end_ = FileDescriptor(until[1]);
        if (::read(told[0], &port_, sizeof port_) != sizeof port_)
            throw std::runtime_error("the server has not come up");
        ::clock_getcpuclockid(process_, &clock_);
    }
    ~Server() {
        end_ = {};
        ::waitpid(process_, nullptr, 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] double processor_seconds() const {
        timespec time{};
        ::clock_gettime(clock_, &time);
        return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
    }

  private:
    pid_t process_ = -1;
    clockid_t clock_{};
    FileDescriptor end_;
    std::uint16_t port_ = 0;
};

// --- the client ---

std::string question(const std::string& name, char type) {
    std::string message("\0\0\1\0\0\1\0\0\0\0\0\1", 12);
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t dot = std::min(name.find('.', at), name.size());
        message += char(dot - at);
        message += name.substr(at, dot - at);
        at = dot + 1;
    }
    message += std::string{0, 0, type, 0, 1};
    return message + std::string("\0\0\51\4\320\0\0\0\0\0\0", 11);  // EDNS with 1,232 bytes
}

// As pods ask: most for addresses, some for what a name has not, some for names that are not there.
std::vector<std::string> questions_for(int services) {
    constexpr char a = 1;
    constexpr char aaaa = 28;
    constexpr char srv = 33;
    std::mt19937 random(11);
    std::vector<std::string> all;
    for (int count = 0; count < 20'000; ++count) {
        const std::string host = host_of(int(random() % std::uint32_t(services)));
        switch (random() % 10) {
            case 0:
                all.push_back(question("_http._tcp." + host, srv));
                break;
            case 1:
                all.push_back(question(host + ".default.svc.cluster.local", a));
                break;
            case 2:
            case 3:
                all.push_back(question(host, aaaa));
                break;
            default:
                all.push_back(question(host, a));
        }
    }
    return all;
}

class Client {
  public:
    explicit Client(std::uint16_t port)
        : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot reach the server");
        const int bytes = 4 << 20;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        for (std::size_t at = 0; at < batch; ++at) {
            parts_[at] = {buffers_[at].data(), answer_bytes};
            incoming_[at].msg_hdr.msg_iov = &parts_[at];
            incoming_[at].msg_hdr.msg_iovlen = 1;
        }
    }

    // The id of each is the place of its time.
    void send(std::vector<std::string>& questions, std::size_t first, std::size_t count) {
        std::array<iovec, batch> parts{};
        std::array<mmsghdr, batch> messages{};
        const auto now = Clock::now();
        for (std::size_t at = 0; at < count; ++at) {
            std::string& text = questions[(first + at) % questions.size()];
            const auto id = std::uint16_t(first + at);
            text[0] = char(id >> 8);
            text[1] = char(id & 0xff);
            sent_[id] = now;
            parts[at] = {text.data(), text.size()};
            messages[at].msg_hdr.msg_iov = &parts[at];
            messages[at].msg_hdr.msg_iovlen = 1;
        }
        for (std::size_t done = 0; done < count;) {
            const int sent = ::sendmmsg(socket_.get(), &messages[done], unsigned(count - done), 0);
            if (sent <= 0) throw std::runtime_error("a question cannot be sent");
            done += std::size_t(sent);
        }
    }

    // How many have come; waits for the first at most so long.
    std::size_t receive(int timeout_ms, std::vector<double>* micros) {
        pollfd wait{socket_.get(), POLLIN, 0};
        if (::poll(&wait, 1, timeout_ms) <= 0) return 0;
        const int count = ::recvmmsg(socket_.get(), incoming_.data(), batch, MSG_DONTWAIT, nullptr);
        const auto now = Clock::now();
        for (int at = 0; at < count; ++at) {
            const auto& text = buffers_[std::size_t(at)];
            const auto id = std::uint16_t(std::uint8_t(text[0]) << 8 | std::uint8_t(text[1]));
            if (micros != nullptr)
                micros->push_back(std::chrono::duration<double, std::micro>(now - sent_[id]).count());
            ++codes[std::uint8_t(text[3]) & 15];
        }
        return count < 0 ? 0 : std::size_t(count);
    }

    std::array<std::size_t, 16> codes{};

  private:
    FileDescriptor socket_;
    std::array<Clock::time_point, 65536> sent_{};
    std::array<std::array<char, answer_bytes>, batch> buffers_{};
    std::array<iovec, batch> parts_{};
    std::array<mmsghdr, batch> incoming_{};
};

struct Run {
    double per_second = 0;
    double per_processor_second = 0;
    std::size_t lost = 0;
};

Run ask_all(const Server& server, std::vector<std::string>& questions) {
    Client client(server.port());
    const double processor = server.processor_seconds();
    const auto start = Clock::now();
    std::size_t asked = 0;
    std::size_t answered = 0;
    std::size_t lost = 0;
    while (answered + lost < questions_of_run && Clock::now() - start < patience) {
        while (asked < questions_of_run && asked - answered - lost + batch <= under_way) {
            client.send(questions, asked, batch);
            asked += batch;
        }
        const std::size_t come = client.receive(200, nullptr);
        answered += come;
        if (come == 0) lost = asked - answered;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (client.codes[0] == 0 || client.codes[3] == 0 || client.codes[0] + client.codes[3] != answered)
        throw std::runtime_error("the answers are not those that were to be expected");
    return {double(answered) / seconds, double(answered) / (server.processor_seconds() - processor), lost};
}

// So many a second, a few at a time.
std::vector<double> ask_paced(const Server& server, std::vector<std::string>& questions, std::size_t& lost) {
    constexpr std::size_t at_once = 5;
    constexpr std::size_t total = std::size_t(paced_per_second) * paced_seconds;
    Client client(server.port());
    std::vector<double> micros;
    micros.reserve(total);
    const auto start = Clock::now();
    const auto end = start + patience;
    std::size_t asked = 0;
    while (micros.size() < total && Clock::now() < end) {
        const auto due =
            std::size_t(std::chrono::duration<double>(Clock::now() - start).count() * paced_per_second);
        while (asked + at_once <= std::min(due, total)) {
            client.send(questions, asked, at_once);
            asked += at_once;
        }
        const bool is_over = asked == total;
        if (client.receive(is_over ? 200 : 0, &micros) == 0 && is_over) break;
    }
    lost = asked - micros.size();
    return micros;
}

double share_of(std::vector<double>& values, double share) {
    if (values.empty()) throw std::runtime_error("nothing was answered");
    std::ranges::sort(values);
    return values[std::min(values.size() - 1, std::size_t(double(values.size()) * share))];
}

double median(std::vector<double> values) {
    return share_of(values, 0.5);
}

int measure(int services, int runs) {
    const Server server(services);
    std::vector<std::string> questions = questions_for(services);
    std::vector<double> rate;
    std::vector<double> processor_rate;
    std::vector<double> p50;
    std::vector<double> p99;
    std::size_t lost = 0;
    for (int run = 0; run < runs; ++run) {
        const Run all = ask_all(server, questions);
        rate.push_back(all.per_second);
        processor_rate.push_back(all.per_processor_second);
        std::size_t lost_paced = 0;
        std::vector<double> micros = ask_paced(server, questions, lost_paced);
        p50.push_back(share_of(micros, 0.5));
        p99.push_back(share_of(micros, 0.99));
        lost += all.lost + lost_paced;
    }
    std::cout << Json{{"row", "dns"},
                      {"services", services},
                      {"answers_per_second", long(median(rate))},
                      {"answers_per_processor_second", long(median(processor_rate))},
                      {"paced_per_second", paced_per_second},
                      {"p50_us", long(median(p50))},
                      {"p99_us", long(median(p99))},
                      {"best_p99_us", long(*std::ranges::min_element(p99))},
                      {"lost", lost}}
                     .dump()
              << std::endl;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return measure(argc > 1 ? std::atoi(argv[1]) : 10'000, argc > 2 ? std::atoi(argv[2]) : 5);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dns_bench: %s\n", error.what());
        return 1;
    }
}
