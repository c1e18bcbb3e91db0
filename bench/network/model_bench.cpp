// Measures the models alone: the table of a node and the cluster's DNS records, from nothing and for one
// change, and what they take in memory. Prints one line a number of services.
//
//     network_model_bench [SERVICES...]
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "kernel/network/dns_records.h"
#include "kernel/network/service_table.h"
#include "kernel/object/json.h"

namespace {

using namespace keelson;           // NOLINT: a program of its own
using namespace keelson::network;  // NOLINT
using client::ObjectPointer;

// CPU time: others on the machine do not count.
double cpu_ms() {
    return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
}
double held_mb() {
    return static_cast<double>(mallinfo2().uordblks) / 1e6;
}

ObjectPointer object_of(const std::string& json, std::string_view kind, std::string_view version) {
    object::Arena arena;
    const auto root = object::parse_json_copy(json, arena);
    if (!root) std::abort();
    return std::make_shared<const client::CachedObject>(*root, kind, version);
}

std::string address_of(int first, int number) {
    return "10." + std::to_string(first + number / 65536) + "." + std::to_string(number / 256 % 256) + "." +
           std::to_string(number % 256);
}

ObjectPointer service_of(int number, int network = 100) {
    const std::string address = address_of(network, number);
    return object_of(R"({"metadata":{"name":"s)" + std::to_string(number) +
                         R"(","namespace":"default","uid":"u)" + std::to_string(number) +
                         R"("},"spec":{"type":"ClusterIP","clusterIP":")" + address + R"(","clusterIPs":[")" +
                         address + R"("],"ports":[{"name":"http","port":80,"protocol":"TCP"}]}})",
                     "Service", "v1");
}

ObjectPointer slice_of(int number, int endpoints) {
    std::string list;
    for (int i = 0; i < endpoints; ++i)
        list += (i == 0 ? "" : ",") + (R"({"addresses":[")" + address_of(0, number * 2 + i) +
                                       R"("],"nodeName":"n1","conditions":{"ready":true}})");
    return object_of(R"({"metadata":{"name":"s)" + std::to_string(number) +
                         R"(-x","namespace":"default","labels":{"kubernetes.io/service-name":"s)" +
                         std::to_string(number) + R"("}},"addressType":"IPv4","endpoints":[)" + list +
                         R"(],"ports":[{"name":"http","port":8080,"protocol":"TCP"}]})",
                     "EndpointSlice", "discovery.k8s.io/v1");
}

void measure(int count) {
    std::vector<ObjectPointer> services;
    std::vector<ObjectPointer> slices;
    for (int number = 0; number < count; ++number) {
        services.push_back(service_of(number));
        slices.push_back(slice_of(number, 2));
    }
    const double before_mb = held_mb();
    const auto table = ServiceTable::make({"n1", ""});
    const auto records = DnsRecords::make("cluster.local");
    const auto fill = [&](auto& model) {
        for (const ObjectPointer& service : services) model.service_changed(service->key(), service);
        for (const ObjectPointer& slice : slices) model.slice_changed(slice->key(), slice);
        const double began = cpu_ms();
        (void)model.take_change();
        return cpu_ms() - began;
    };
    const double table_ms = fill(*table);
    const double table_mb = held_mb() - before_mb;
    const double records_ms = fill(*records);
    const double records_mb = held_mb() - before_mb - table_mb;
    // Made before the clock starts: reading JSON is no part of a change. For the table a slice loses an
    // endpoint and gets it back; for DNS a service gets another address and has the first again.
    constexpr int kChanges = 200;
    std::vector<ObjectPointer> changed_slices;
    std::vector<ObjectPointer> changed_services;
    for (int change = 0; change < kChanges; ++change) {
        const int number = change / 2 * 2 * 37 % count;
        const bool is_back = change % 2 != 0;
        changed_slices.push_back(slice_of(number, is_back ? 2 : 1));
        changed_services.push_back(service_of(number, is_back ? 100 : 120));
    }
    const auto change_us = [](auto& model, const auto& change_one,
                              const std::vector<ObjectPointer>& changes) {
        const double began = cpu_ms();
        for (const ObjectPointer& object : changes) {
            change_one(object);
            if (model.take_change().set.empty()) std::abort();
        }
        return (cpu_ms() - began) * 1e3 / kChanges;
    };
    const double table_us = change_us(
        *table, [&](const ObjectPointer& slice) { table->slice_changed(slice->key(), slice); },
        changed_slices);
    const double records_us = change_us(
        *records, [&](const ObjectPointer& service) { records->service_changed(service->key(), service); },
        changed_services);
    std::printf(
        "%6d services x 2: table %7.1f ms %6.1f MB, DNS %7.1f ms %6.1f MB, one change %5.1f us and %5.1f "
        "us\n",
        count, table_ms, table_mb, records_ms, records_mb, table_us, records_us);
}

}  // namespace

int main(int count, char** arguments) {
    std::vector<int> sizes;
    for (int i = 1; i < count; ++i) sizes.push_back(std::atoi(arguments[i]));
    if (sizes.empty()) sizes = {1'000, 5'000, 10'000, 30'000};
    for (const int size : sizes) measure(std::max(size, 1));
    return 0;
}
