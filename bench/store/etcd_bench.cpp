// The peer of store_bench: the same keys and values, put into a running etcd over gRPC by the same number of
// writers.
//
//     etcd_bench ADDRESS [--seconds N] [--writers N] [--bytes N]
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "etcd_put.grpc.pb.h"
#include "kernel/base/ids.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Load {
    std::vector<std::unique_ptr<etcdserverpb::KV::Stub>> stubs;
    std::string value;
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<bool> stop{false};
};

// One writer: a put, and on its answer the next. Lives until the load stops.
struct Writer {
    Load& load;
    std::latch& done;
    etcdserverpb::KV::Stub& stub;
    std::unique_ptr<grpc::ClientContext> context;
    etcdserverpb::PutRequest request;
    etcdserverpb::PutResponse response;

    void write() {
        const std::uint64_t number = load.next++;
        char key[64];
        std::snprintf(key, sizeof key, "core/pods/bench-%02llu/pod-%08llu",
                      static_cast<unsigned long long>(number % 50), static_cast<unsigned long long>(number));
        request.set_key(key);
        request.set_value(load.value);
        context = std::make_unique<grpc::ClientContext>();
        stub.async()->Put(context.get(), &request, &response, [this](const grpc::Status& status) {
            if (!status.ok()) ++load.failed;
            if (load.stop) {
                done.count_down();
            } else {
                write();
            }
        });
    }
};

}  // namespace

int main(int count, char** values) {
    std::string address;
    double seconds = 5;
    int writers = 64;
    std::size_t bytes = 1024;
    for (int index = 1; index < count; ++index) {
        const std::string argument = values[index];
        const char* next = index + 1 < count ? values[index + 1] : "0";
        if (argument == "--seconds") {
            seconds = std::atof(next), ++index;
        } else if (argument == "--writers") {
            writers = std::atoi(next), ++index;
        } else if (argument == "--bytes") {
            bytes = static_cast<std::size_t>(std::atoll(next)), ++index;
        } else {
            address = argument;
        }
    }
    if (address.empty() || writers < 1) {
        std::fputs("usage: etcd_bench ADDRESS [--seconds N] [--writers N] [--bytes N]\n", stderr);
        return 2;
    }
    Load load;
    load.value.resize(bytes);
    keelson::base::SeededRandom(1).fill(load.value.data(), load.value.size());
    // A few connections, as etcd's own benchmark advises.
    for (int index = 0; index < 4; ++index) {
        grpc::ChannelArguments own;
        own.SetInt("connection", index);
        const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), own);
        if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
            std::fprintf(stderr, "etcd does not answer at %s: start it first\n", address.c_str());
            return 1;
        }
        load.stubs.push_back(etcdserverpb::KV::NewStub(channel));
    }
    std::latch done(writers);
    std::vector<std::unique_ptr<Writer>> all;
    const auto start = Clock::now();
    for (int index = 0; index < writers; ++index) {
        all.push_back(std::unique_ptr<Writer>(new Writer{
            load, done, *load.stubs[static_cast<std::size_t>(index) % load.stubs.size()], {}, {}, {}}));
        all.back()->write();
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    load.stop = true;
    done.wait();
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("puts_per_second %.0f (%d writers, %zu bytes, %llu failed)\n",
                static_cast<double>(load.next) / took, writers, bytes,
                static_cast<unsigned long long>(load.failed.load()));
    return load.failed == 0 ? 0 : 1;
}
