#include "kernel/network/service_table.h"

#include <array>

#include "tests/network/network_objects.h"

namespace keelson::network {
namespace {

using client::ObjectPointer;
using Strings = std::vector<std::string>;

class ServiceTableTest : public ::testing::Test {
  protected:
    void put(const ObjectPointer& object) {
        if (object->root()["kind"].as_string() == "Service")
            table->service_changed(object->key(), object);
        else
            table->slice_changed(object->key(), object);
    }
    // The addresses of the backends of one entry.
    static Strings backends(const std::vector<Backend>& list) {
        Strings texts;
        for (const Backend& backend : list)
            texts.push_back(backend.address + ":" + std::to_string(backend.port) +
                            (backend.is_terminating ? " terminating" : ""));
        return texts;
    }
    ServiceEntry entry(const std::string& id) {
        (void)table->take_change();
        for (ServiceEntry& one : table->all())
            if (one.id == id) return one;
        ADD_FAILURE() << "there is no " << id;
        return {};
    }
    Strings ids() {
        (void)table->take_change();
        Strings result;
        for (const ServiceEntry& one : table->all()) result.push_back(one.id);
        return result;
    }

    std::unique_ptr<ServiceTable> table = ServiceTable::make({"n1", "z1"});
    const std::string web = "default/web:http/ClusterIP/10.96.0.1/80/TCP";
};

TEST_F(ServiceTableTest, AClusterAddressLeadsToTheReadyEndpointsOfItsPort) {
    put(service_of("web", kClusterIp));
    put(slice_of("web-1", "web",
                 endpoint("10.0.0.2", "n2") + "," + endpoint("10.0.0.1") + "," +
                     endpoint("10.0.0.3", "n1", R"({"ready":false})")));
    const ServiceEntry found = entry(web);
    EXPECT_EQ(found.name, "default/web:http");
    EXPECT_EQ(backends(found.backends), Strings({"10.0.0.1:8080", "10.0.0.2:8080"}));
    EXPECT_TRUE(found.backends[0].is_local);
    EXPECT_FALSE(found.backends[1].is_local);
    EXPECT_FALSE(found.drops_when_empty);
}

TEST_F(ServiceTableTest, OnlyWhatIsDifferentIsTold) {
    put(service_of("web", kClusterIp));
    EXPECT_EQ(table->take_change().set.size(), 1u);
    EXPECT_TRUE(table->take_change().empty());
    put(service_of("web", kClusterIp));
    EXPECT_TRUE(table->take_change().empty()) << "the same again";
    put(slice_of("web-1", "web", endpoint("10.0.0.1")));
    EXPECT_EQ(table->take_change().set.size(), 1u);
    table->service_changed({"default", "web"}, nullptr);
    EXPECT_EQ(table->take_change().removed, Strings({web}));
    EXPECT_TRUE(table->all().empty());
}

TEST_F(ServiceTableTest, ServicesThatNobodyCarriesAreLeftOut) {
    const std::string ports = R"("ports":[{"port":80}])";
    put(service_of("headless", R"("type":"ClusterIP","clusterIP":"None",)" + ports));
    put(service_of("elsewhere", R"("type":"ExternalName","externalName":"example.com")"));
    put(service_of("others", kClusterIp, R"(,"labels":{"service.kubernetes.io/service-proxy-name":"x"})"));
    EXPECT_TRUE(ids().empty());
}

TEST_F(ServiceTableTest, EveryKindOfAddressHasItsEntry) {
    put(service_of(
        "web",
        R"("type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1","fd00::1"],)"
        R"("externalIPs":["192.0.2.7"],"loadBalancerSourceRanges":["198.51.100.0/24","2001:db8::/32"],)"
        R"("ports":[{"name":"http","port":80,"nodePort":30080,"protocol":"TCP"}])",
        {},
        R"({"loadBalancer":{"ingress":[{"ip":"203.0.113.1","ipMode":"VIP"},{"ip":"203.0.113.2","ipMode":"Proxy"}]}})"));
    EXPECT_EQ(
        ids(),
        Strings({"default/web:http/ClusterIP/10.96.0.1/80/TCP", "default/web:http/ClusterIP/fd00::1/80/TCP",
                 "default/web:http/ExternalIP/192.0.2.7/80/TCP",
                 "default/web:http/LoadBalancer/203.0.113.1/80/TCP",
                 "default/web:http/NodePort/0.0.0.0/30080/TCP", "default/web:http/NodePort/::/30080/TCP"}));
    EXPECT_EQ(entry("default/web:http/LoadBalancer/203.0.113.1/80/TCP").source_ranges,
              Strings({"198.51.100.0/24"}));
    EXPECT_TRUE(entry("default/web:http/ExternalIP/192.0.2.7/80/TCP").source_ranges.empty());
}

TEST_F(ServiceTableTest, PortsGoByNameAndProtocol) {
    put(service_of(
        "dns",
        R"("type":"ClusterIP","clusterIP":"10.96.0.10","ports":[{"name":"dns","port":53,"protocol":"UDP"},)"
        R"({"name":"dns-tcp","port":53,"protocol":"TCP"}])"));
    put(slice_of(
        "dns-1", "dns", endpoint("10.0.0.1"),
        R"([{"name":"dns","port":5353,"protocol":"UDP"},{"name":"dns-tcp","port":5354,"protocol":"TCP"}])"));
    EXPECT_EQ(backends(entry("default/dns:dns/ClusterIP/10.96.0.10/53/UDP").backends),
              Strings({"10.0.0.1:5353"}));
    EXPECT_EQ(backends(entry("default/dns:dns-tcp/ClusterIP/10.96.0.10/53/TCP").backends),
              Strings({"10.0.0.1:5354"}));
}

TEST_F(ServiceTableTest, ServingEndpointsThatEndAreTheLastResort) {
    put(service_of("web", kClusterIp));
    const std::string ending = R"({"ready":false,"serving":true,"terminating":true})";
    put(slice_of("web-1", "web", endpoint("10.0.0.1") + "," + endpoint("10.0.0.2", "n1", ending)));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.1:8080"}));
    put(slice_of(
        "web-1", "web",
        endpoint("10.0.0.1", "n1", R"({"ready":false})") + "," + endpoint("10.0.0.2", "n1", ending)));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.2:8080 terminating"}));
}

TEST_F(ServiceTableTest, InternalTrafficMayHaveToStayOnTheNode) {
    const std::string local = std::string(kClusterIp) + R"(,"internalTrafficPolicy":"Local")";
    put(service_of("web", local));
    put(slice_of("web-1", "web", endpoint("10.0.0.1", "n2")));
    EXPECT_TRUE(entry(web).backends.empty());
    EXPECT_TRUE(entry(web).drops_when_empty) << "there are some, but not here";
    put(slice_of("web-1", "web", endpoint("10.0.0.1", "n2") + "," + endpoint("10.0.0.2")));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.2:8080"}));
    put(slice_of("web-1", "web", ""));
    EXPECT_FALSE(entry(web).drops_when_empty) << "there are none at all: refused";
}

TEST_F(ServiceTableTest, ExternalTrafficMayHaveToStayOnTheNode) {
    put(service_of(
        "web",
        R"("type":"LoadBalancer","clusterIP":"10.96.0.1","externalTrafficPolicy":"Local","healthCheckNodePort":32000,)"
        R"("ports":[{"name":"http","port":80,"nodePort":30080}])"));
    put(slice_of("web-1", "web",
                 endpoint("10.0.0.1", "n2") + "," + endpoint("10.0.0.2") + "," + endpoint("10.0.0.3")));
    const ServiceEntry found = entry("default/web:http/NodePort/0.0.0.0/30080/TCP");
    EXPECT_TRUE(found.is_local);
    EXPECT_EQ(backends(found.external_backends), Strings({"10.0.0.2:8080", "10.0.0.3:8080"}));
    EXPECT_EQ(found.backends.size(), 3u) << "for pods and the node itself";
    EXPECT_FALSE(entry(web).is_local);
    EXPECT_EQ(table->health_check_ports(),
              std::vector<HealthCheckPort>(
                  {{.port = 32000, .namespace_name = "default", .service = "web", .local_endpoints = 2}}));
}

TEST_F(ServiceTableTest, HintsKeepTrafficNearWhenAllEndpointsHaveThem) {
    put(service_of("web", kClusterIp));
    const auto zone = [](const std::string& name) {
        return R"(,"hints":{"forZones":[{"name":")" + name + R"("}]})";
    };
    const auto ready = R"({"ready":true})";
    put(slice_of(
        "web-1", "web",
        endpoint("10.0.0.1", "n1", ready, zone("z1")) + "," + endpoint("10.0.0.2", "n2", ready, zone("z2"))));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.1:8080"}));
    table->node_changed({"n1", "z2"});
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.2:8080"}));
    table->node_changed({"n1", "z3"});
    EXPECT_EQ(entry(web).backends.size(), 2u) << "none is meant for this zone";
    table->node_changed({"n1", "z1"});
    put(slice_of("web-1", "web",
                 endpoint("10.0.0.1", "n1", ready, zone("z1")) + "," + endpoint("10.0.0.2", "n2")));
    EXPECT_EQ(entry(web).backends.size(), 2u) << "one has no hint";
    const auto both = [](const std::string& node) {
        return R"(,"hints":{"forZones":[{"name":"z1"}],"forNodes":[{"name":")" + node + R"("}]})";
    };
    put(slice_of(
        "web-1", "web",
        endpoint("10.0.0.1", "n1", ready, both("n1")) + "," + endpoint("10.0.0.2", "n2", ready, both("n2"))));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.1:8080"}));
}

TEST_F(ServiceTableTest, AffinityHasItsTime) {
    put(service_of("web", std::string(kClusterIp) + R"(,"sessionAffinity":"ClientIP")"));
    EXPECT_EQ(entry(web).affinity, std::chrono::hours(3));
    put(service_of(
        "web",
        std::string(kClusterIp) +
            R"(,"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":60}})"));
    EXPECT_EQ(entry(web).affinity, std::chrono::seconds(60));
}

TEST_F(ServiceTableTest, AnEndpointInTwoSlicesIsOne) {
    put(service_of("web", kClusterIp));
    put(slice_of("web-1", "web", endpoint("10.0.0.1", "n1", R"({"ready":false})")));
    put(slice_of("web-2", "web", endpoint("10.0.0.1")));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.1:8080"}));
}

TEST_F(ServiceTableTest, OfTwoServicesWithOneAddressTheOlderHasIt) {
    const std::string spec =
        R"("type":"ClusterIP","clusterIP":"IP","externalIPs":["192.0.2.7"],"ports":[{"name":"http","port":80}])";
    const auto with = [&](const std::string& name, const std::string& address, const std::string& created) {
        std::string text = spec;
        text.replace(text.find("IP\",\"ext"), 2, address);
        return service_of(name, text, R"(,"creationTimestamp":")" + created + "\"");
    };
    put(with("young", "10.96.0.2", "2026-01-02T00:00:00Z"));
    EXPECT_EQ(ids().size(), 2u);
    put(with("old", "10.96.0.1", "2026-01-01T00:00:00Z"));
    EXPECT_EQ(ids(), Strings({"default/old:http/ClusterIP/10.96.0.1/80/TCP",
                              "default/old:http/ExternalIP/192.0.2.7/80/TCP",
                              "default/young:http/ClusterIP/10.96.0.2/80/TCP"}));
    EXPECT_EQ(table->conflicts(),
              std::vector<AddressConflict>({{{"default", "young"}, {"default", "old"}, "192.0.2.7:80/TCP"}}));
    table->service_changed({"default", "old"}, nullptr);
    EXPECT_EQ(ids().size(), 2u);
    EXPECT_TRUE(table->conflicts().empty());
}

TEST_F(ServiceTableTest, AnEndingEndpointThatDoesNotSayWhetherItServesDoes) {
    put(service_of("web", kClusterIp));
    put(slice_of("web-1", "web", endpoint("10.0.0.1", "n1", R"({"ready":false,"terminating":true})")));
    EXPECT_EQ(backends(entry(web).backends), Strings({"10.0.0.1:8080 terminating"}));
}

TEST_F(ServiceTableTest, LocalEndpointsThatEndAreTheLastResortOfExternalTraffic) {
    put(service_of("web", R"("type":"NodePort","clusterIP":"10.96.0.1","externalTrafficPolicy":"Local",)"
                          R"("ports":[{"name":"http","port":80,"nodePort":30080}])"));
    put(slice_of("web-1", "web",
                 endpoint("10.0.0.1", "n2") + "," +
                     endpoint("10.0.0.2", "n1", R"({"ready":false,"serving":true,"terminating":true})")));
    const ServiceEntry found = entry("default/web:http/NodePort/0.0.0.0/30080/TCP");
    EXPECT_EQ(backends(found.backends), Strings({"10.0.0.1:8080"}));
    EXPECT_EQ(backends(found.external_backends), Strings({"10.0.0.2:8080 terminating"}));
}

TEST_F(ServiceTableTest, SourceRangesMayHaveSpacesAroundThem) {
    put(service_of("web",
                   R"("type":"LoadBalancer","clusterIP":"10.96.0.1","ports":[{"name":"http","port":80}],)"
                   R"("loadBalancerSourceRanges":[" 198.51.100.0/24 "])",
                   {}, R"({"loadBalancer":{"ingress":[{"ip":"203.0.113.1"}]}})"));
    EXPECT_EQ(entry("default/web:http/LoadBalancer/203.0.113.1/80/TCP").source_ranges,
              Strings({"198.51.100.0/24"}));
}

TEST_F(ServiceTableTest, LabelsKeepServicesAndSlicesFromTheProxy) {
    for (const std::string label : {"headless", "service-proxy-name"}) {
        const std::string name = "service.kubernetes.io/" + label;
        put(service_of("web", kClusterIp, R"(,"labels":{")" + name + R"(":""})"));
        EXPECT_TRUE(ids().empty()) << label;
        put(service_of("web", kClusterIp));
        put(object_of(
            R"({"metadata":{"name":"web-1","namespace":"default","labels":{"kubernetes.io/service-name":"web",")" +
                name + R"(":""}},"addressType":"IPv4","endpoints":[)" + endpoint("10.0.0.1") +
                R"(],"ports":[{"name":"http","port":8080,"protocol":"TCP"}]})",
            "EndpointSlice", "discovery.k8s.io/v1"));
        EXPECT_TRUE(entry(web).backends.empty()) << label;
    }
}

TEST_F(ServiceTableTest, NothingIsLocalToANodeWithoutAName) {
    table = ServiceTable::make({});
    put(service_of(
        "web",
        R"("type":"LoadBalancer","clusterIP":"10.96.0.1","externalTrafficPolicy":"Local","healthCheckNodePort":32000,)"
        R"("ports":[{"name":"http","port":80}])"));
    put(slice_of("web-1", "web", R"({"addresses":["10.0.0.1"]})"));
    EXPECT_FALSE(entry(web).backends.at(0).is_local);
    EXPECT_EQ(table->health_check_ports().at(0).local_endpoints, 0u);
}

TEST_F(ServiceTableTest, APodWithAddressesOfBothFamiliesIsOneLocalEndpoint) {
    put(service_of(
        "web",
        R"("type":"LoadBalancer","clusterIP":"10.96.0.1","externalTrafficPolicy":"Local","healthCheckNodePort":32000,)"
        R"("ports":[{"name":"http","port":80}])"));
    const auto of_pod = [](const std::string& uid) {
        return R"(,"targetRef":{"kind":"Pod","uid":")" + uid + R"("})";
    };
    const std::string ready = R"({"ready":true})";
    put(slice_of("web-1", "web",
                 endpoint("10.0.0.1", "n1", ready, of_pod("a")) + "," +
                     endpoint("10.0.0.2", "n1", ready, of_pod("b"))));
    put(slice_of("web-2", "web",
                 endpoint("fd00::1", "n1", ready, of_pod("a")) + "," + endpoint("fd00::3", "n1", ready),
                 R"([{"name":"http","port":8080,"protocol":"TCP"}])", "IPv6"));
    (void)table->take_change();
    EXPECT_EQ(table->health_check_ports().at(0).local_endpoints, 3u) << "a, b and one without a pod";
}

TEST_F(ServiceTableTest, ManualSlicesServeAnSctpPortWithoutAName) {
    put(service_of("web",
                   R"("type":"ClusterIP","clusterIP":"10.96.0.1","ports":[{"port":9,"protocol":"SCTP"}])"));
    put(slice_of("mine", "web", R"({"addresses":["10.0.0.1"]})",
                 R"([{"name":"","port":7,"protocol":"TCP"},{"name":"","port":8,"protocol":"SCTP"}])"));
    EXPECT_EQ(backends(entry("default/web/ClusterIP/10.96.0.1/9/SCTP").backends), Strings({"10.0.0.1:8"}));
}

TEST_F(ServiceTableTest, OfTwoServicesOfTheSameAgeTheSmallerUidHasTheAddress) {
    for (const std::string name : {"b", "a"})
        put(service_of(name,
                       R"("clusterIP":"10.96.0.)" + std::string(name == "a" ? "1" : "2") +
                           R"(","externalIPs":["192.0.2.7"],"ports":[{"name":"http","port":80}])",
                       R"(,"creationTimestamp":"2026-01-01T00:00:00Z")"));
    (void)table->take_change();
    EXPECT_EQ(table->conflicts(),
              std::vector<AddressConflict>({{{"default", "b"}, {"default", "a"}, "192.0.2.7:80/TCP"}}));
}

// --- histories ---

class History : public ::testing::TestWithParam<unsigned> {
  protected:
    unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random); }
    bool maybe() { return below(2) == 0; }
    std::string random_spec(unsigned number) {
        const std::string four = "10.96.0." + std::to_string(number + 1);
        const std::string six = "fd00:96::" + std::to_string(number + 1);
        const unsigned families = below(3);  // IPv4, IPv6, both
        const std::string addresses = families == 0   ? "\"" + four + "\""
                                      : families == 1 ? "\"" + six + "\""
                                                      : "\"" + four + "\",\"" + six + "\"";
        constexpr std::array<const char*, 4> types = {"ClusterIP", "NodePort", "LoadBalancer",
                                                      "ExternalName"};
        std::string spec = R"("clusterIP":")" + (families == 1 ? six : four) + R"(","clusterIPs":[)" +
                           addresses + R"(],"type":")" + types[below(4)] +
                           R"(","ports":[{"name":"http","port":80,"nodePort":)" +
                           std::to_string(30000 + number) + "}]";
        if (maybe())
            spec += R"(,"externalIPs":["192.0.2.)" + std::to_string(below(3)) + R"(","2001:db8::1"])";
        if (maybe()) spec += R"(,"externalTrafficPolicy":"Local")";
        if (maybe()) spec += R"(,"internalTrafficPolicy":"Local")";
        if (maybe()) spec += R"(,"healthCheckNodePort":)" + std::to_string(32000 + number);
        if (maybe()) spec += R"(,"trafficDistribution":"PreferSameZone")";
        if (maybe()) spec += R"(,"loadBalancerSourceRanges":["198.51.100.0/24","2001:db8::/32"])";
        if (maybe()) spec += R"(,"sessionAffinity":"ClientIP")";
        return spec;
    }
    std::string random_status() {
        if (maybe()) return "{}";
        return R"({"loadBalancer":{"ingress":[{"ip":"203.0.113.)" + std::to_string(below(3)) +
               R"("},{"ip":"2001:db8:1::)" + std::to_string(below(3)) +
               R"("},{"ip":"203.0.113.9","ipMode":")" + (maybe() ? "Proxy" : "VIP") + R"("}]}})";
    }
    ObjectPointer random_service(unsigned number) {
        return service_of(
            "s" + std::to_string(number), random_spec(number),
            R"(,"creationTimestamp":"2026-01-0)" + std::to_string(number + 1) + R"(T00:00:00Z")",
            random_status());
    }
    std::string random_hints() {
        std::string hints;
        if (below(4) != 0) hints += R"("forZones":[{"name":"z)" + std::to_string(below(2) + 1) + R"("}])";
        if (maybe())
            hints += (hints.empty() ? "" : ",") +
                     (R"("forNodes":[{"name":"n)" + std::to_string(below(2) + 1) + R"("}])");
        return R"(,"hints":{)" + hints + "}";
    }
    std::string random_endpoints(const std::string& prefix) {
        std::string list;
        const bool has_hints = maybe();
        for (unsigned i = below(4); i > 0; --i) {
            const std::string conditions = maybe()   ? R"({"ready":true})"
                                           : maybe() ? R"({"ready":false})"
                                                     : R"({"ready":false,"serving":true,"terminating":true})";
            const std::string number = std::to_string(below(6));
            const std::string pod = R"(,"targetRef":{"kind":"Pod","uid":"p)" + number + R"("})";
            list += (list.empty() ? "" : ",") + endpoint(prefix + number, maybe() ? "n1" : "n2", conditions,
                                                         pod + (has_hints ? random_hints() : ""));
        }
        return list;
    }
    ObjectPointer random_slice(const std::string& name, const std::string& service) {
        const bool is_v6 = below(3) == 0;
        return slice_of(name, service, random_endpoints(is_v6 ? "fd00::" : "10.0.0."),
                        R"([{"name":"http","port":8080,"protocol":"TCP"}])", is_v6 ? "IPv6" : "IPv4");
    }

    std::mt19937 random{GetParam()};
};

TEST_P(History, DifferencesGiveTheSameAsBuildingFromScratch) {
    std::map<std::string, ServiceEntry> followed;
    std::map<client::ObjectKey, ObjectPointer> services;
    std::map<client::ObjectKey, ObjectPointer> slices;
    NodeFacts node{"n1", ""};
    const auto table = ServiceTable::make(node);
    for (int step = 0; step < 200; ++step) {
        const unsigned number = below(6);
        const std::string name = "s" + std::to_string(number);
        if (below(10) == 0) {
            node = {below(4) == 0 ? "n2" : "n1", maybe() ? "z1" : maybe() ? "z2" : ""};
            table->node_changed(node);
        } else if (maybe()) {
            const auto now = below(4) == 0 ? nullptr : random_service(number);
            if (now)
                services[{"default", name}] = now;
            else
                services.erase({"default", name});
            table->service_changed({"default", name}, now);
        } else {
            const std::string slice = "slice" + std::to_string(below(8));
            const auto now = below(4) == 0 ? nullptr : random_slice(slice, name);
            if (now)
                slices[{"default", slice}] = now;
            else
                slices.erase({"default", slice});
            table->slice_changed({"default", slice}, now);
        }
        if (maybe()) continue;
        const TableChange change = table->take_change();
        for (const std::string& id : change.removed) ASSERT_EQ(followed.erase(id), 1u) << id;
        for (const ServiceEntry& entry : change.set) followed.insert_or_assign(entry.id, entry);
        const auto fresh = ServiceTable::make(node);
        for (const auto& [key, slice] : slices) fresh->slice_changed(key, slice);
        for (auto at = services.rbegin(); at != services.rend(); ++at)
            fresh->service_changed(at->first, at->second);
        (void)fresh->take_change();
        std::vector<ServiceEntry> entries;
        entries.reserve(followed.size());
        for (const auto& [id, entry] : followed) entries.push_back(entry);
        ASSERT_EQ(entries, fresh->all()) << "seed " << GetParam() << ", step " << step;
        ASSERT_EQ(table->all(), fresh->all());
        ASSERT_EQ(table->conflicts(), fresh->conflicts());
        ASSERT_EQ(table->health_check_ports(), fresh->health_check_ports());
    }
}
INSTANTIATE_TEST_SUITE_P(Seeds, History, ::testing::Range(0u, 50u));

}  // namespace
}  // namespace keelson::network
