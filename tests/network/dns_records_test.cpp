#include "kernel/network/dns_records.h"

#include "tests/network/network_objects.h"

namespace keelson::network {
namespace {

using client::ObjectPointer;
using Strings = std::vector<std::string>;

class DnsRecordsTest : public ::testing::Test {
  protected:
    void put(const ObjectPointer& object) {
        if (object->root()["kind"].as_string() == "Service")
            records->service_changed(object->key(), object);
        else
            records->slice_changed(object->key(), object);
    }
    Strings find(const std::string& name, const std::string& type) {
        (void)records->take_change();
        for (const DnsRecord& record : records->all())
            if (record.key == DnsKey{name, type}) return record.values;
        return {};
    }

    std::unique_ptr<DnsRecords> records = DnsRecords::make("cluster.local");
};

TEST_F(DnsRecordsTest, AServiceHasItsAddressesAndPorts) {
    put(service_of("web",
                   R"("type":"ClusterIP","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1","fd00::1"],)"
                   R"("ports":[{"name":"http","port":80,"protocol":"TCP"},{"port":81}])"));
    EXPECT_EQ(find("web.default.svc.cluster.local", "A"), Strings({"10.96.0.1"}));
    EXPECT_EQ(find("web.default.svc.cluster.local", "AAAA"), Strings({"fd00::1"}));
    EXPECT_EQ(find("_http._tcp.web.default.svc.cluster.local", "SRV"),
              Strings({"0 100 80 web.default.svc.cluster.local"}));
    EXPECT_EQ(find("1.0.96.10.in-addr.arpa", "PTR"), Strings({"web.default.svc.cluster.local"}));
    EXPECT_EQ(find("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "PTR"),
              Strings({"web.default.svc.cluster.local"}));
}

TEST_F(DnsRecordsTest, AHeadlessServiceHasThoseOfItsReadyEndpoints) {
    put(service_of("db", R"("type":"ClusterIP","clusterIP":"None","ports":[{"name":"http","port":80}])"));
    put(slice_of("db-1", "db",
                 endpoint("10.0.0.1", "n1", R"({"ready":true})", R"(,"hostname":"db-0")") + "," +
                     endpoint("10.0.0.2") + "," + endpoint("10.0.0.3", "n1", R"({"ready":false})")));
    EXPECT_EQ(find("db.default.svc.cluster.local", "A"), Strings({"10.0.0.1", "10.0.0.2"}));
    EXPECT_EQ(find("db-0.db.default.svc.cluster.local", "A"), Strings({"10.0.0.1"}));
    EXPECT_EQ(find("10-0-0-2.db.default.svc.cluster.local", "A"), Strings({"10.0.0.2"}));
    EXPECT_EQ(find("_http._tcp.db.default.svc.cluster.local", "SRV"),
              Strings({"0 50 8080 10-0-0-2.db.default.svc.cluster.local",
                       "0 50 8080 db-0.db.default.svc.cluster.local"}));
    EXPECT_EQ(find("1.0.0.10.in-addr.arpa", "PTR"), Strings({"db-0.db.default.svc.cluster.local"}));
    EXPECT_EQ(find("3.0.0.10.in-addr.arpa", "PTR"), Strings());
}

TEST_F(DnsRecordsTest, EndpointsOfBothFamiliesShareTheirNames) {
    put(service_of("db", R"("clusterIP":"None","ports":[])"));
    put(slice_of("db-1", "db", endpoint("10.0.0.1", "n1", R"({"ready":true})", R"(,"hostname":"a")")));
    put(slice_of("db-2", "db", endpoint("fd00::5", "n1", R"({"ready":true})", R"(,"hostname":"a")"), "[]",
                 "IPv6"));
    EXPECT_EQ(find("a.db.default.svc.cluster.local", "A"), Strings({"10.0.0.1"}));
    EXPECT_EQ(find("a.db.default.svc.cluster.local", "AAAA"), Strings({"fd00::5"}));
}

TEST_F(DnsRecordsTest, AnAddressHasTheNamesOfAllItsServices) {
    for (const std::string name : {"y", "x"}) {
        put(service_of(name, R"("clusterIP":"None","ports":[])"));
        put(slice_of(name + "-1", name, endpoint("10.0.0.1")));
    }
    EXPECT_EQ(find("1.0.0.10.in-addr.arpa", "PTR"),
              Strings({"10-0-0-1.x.default.svc.cluster.local", "10-0-0-1.y.default.svc.cluster.local"}));
}

TEST_F(DnsRecordsTest, TargetsOfAPortShareItsWeightAlsoWhenASliceDoesNotSayTcp) {
    put(service_of("db", R"("clusterIP":"None","ports":[])"));
    put(slice_of("db-1", "db", endpoint("10.0.0.1") + "," + endpoint("10.0.0.2")));
    put(slice_of("db-2", "db", endpoint("10.0.0.3"), R"([{"name":"http","port":8080}])"));
    EXPECT_EQ(find("_http._tcp.db.default.svc.cluster.local", "SRV"),
              Strings({"0 33 8080 10-0-0-1.db.default.svc.cluster.local",
                       "0 33 8080 10-0-0-2.db.default.svc.cluster.local",
                       "0 33 8080 10-0-0-3.db.default.svc.cluster.local"}));
}

TEST_F(DnsRecordsTest, TheZoneMayBeWrittenWithItsLastDot) {
    records = DnsRecords::make("Cluster.Local.");
    put(service_of("web", kClusterIp));
    EXPECT_EQ(find("web.default.svc.cluster.local", "A"), Strings({"10.96.0.1"}));
    EXPECT_EQ(records->all().at(0).ttl_seconds, 5);
}

TEST_F(DnsRecordsTest, AnExternalNameIsAnAlias) {
    put(service_of("out", R"("type":"ExternalName","externalName":"Example.COM.")"));
    EXPECT_EQ(find("out.default.svc.cluster.local", "CNAME"), Strings({"example.com"}));
}

TEST_F(DnsRecordsTest, TheVersionOfTheSpecificationIsThere) {
    EXPECT_EQ(find("dns-version.cluster.local", "TXT"), Strings({"\"1.1.0\""}));
}

TEST_F(DnsRecordsTest, OnlyWhatIsDifferentIsTold) {
    EXPECT_EQ(records->take_change().set.size(), 1u);
    put(service_of("web", kClusterIp));
    EXPECT_EQ(records->take_change().set.size(), 3u);
    put(service_of("web", kClusterIp));
    EXPECT_TRUE(records->take_change().empty());
    records->service_changed({"default", "web"}, nullptr);
    EXPECT_EQ(records->take_change().removed.size(), 3u);
}

class DnsHistory : public ::testing::TestWithParam<unsigned> {
  protected:
    unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random); }
    std::string random_spec() {
        const std::string ports =
            R"("ports":[{"name":"http","port":80},{"name":"dns","port":53,"protocol":"UDP"}])";
        const std::string four = "10.96.0." + std::to_string(below(4));
        const std::string six = "fd00:96::" + std::to_string(below(4));
        switch (below(5)) {
            case 0:
                return R"("clusterIP":"None",)" + ports;
            case 1:
                return R"("type":"ExternalName","externalName":"target)" + std::to_string(below(2)) +
                       R"(.example.com")";
            case 2:
                return R"("clusterIP":")" + six + R"(","clusterIPs":[")" + six + R"("],)" + ports;
            case 3:
                return R"("clusterIP":")" + four + R"(","clusterIPs":[")" + four + R"(",")" + six + R"("],)" +
                       ports;
            default:
                return R"("clusterIP":")" + four + R"(",)" + ports;
        }
    }
    ObjectPointer random_slice(const std::string& name, const std::string& service) {
        const bool is_v6 = below(3) == 0;
        std::string endpoints;
        for (unsigned i = below(4); i > 0; --i) {
            const std::string address = (is_v6 ? "fd00::" : "10.0.0.") + std::to_string(below(4));
            const std::string conditions = below(4) == 0 ? R"({"ready":false})" : R"({"ready":true})";
            const std::string host =
                below(2) == 0 ? R"(,"hostname":"h)" + std::to_string(below(3)) + "\"" : "";
            endpoints += (endpoints.empty() ? "" : ",") + endpoint(address, "n1", conditions, host);
        }
        const std::string port =
            below(3) == 0
                ? R"([{"name":"http","port":8081}])"
                : R"([{"name":"http","port":8080,"protocol":"TCP"},{"name":"dns","port":53,"protocol":"UDP"}])";
        return slice_of(name, service, endpoints, port, is_v6 ? "IPv6" : "IPv4");
    }

    std::mt19937 random{GetParam()};
};

TEST_P(DnsHistory, DifferencesGiveTheSameAsBuildingFromScratch) {
    std::map<DnsKey, std::vector<std::string>> followed;
    std::map<client::ObjectKey, ObjectPointer> services;
    std::map<client::ObjectKey, ObjectPointer> slices;
    const auto records = DnsRecords::make("cluster.local");
    for (int step = 0; step < 150; ++step) {
        const std::string name = "s" + std::to_string(below(5));
        if (below(2) == 0) {
            const auto now = below(4) == 0 ? nullptr : service_of(name, random_spec());
            if (now)
                services[{"default", name}] = now;
            else
                services.erase({"default", name});
            records->service_changed({"default", name}, now);
        } else {
            const std::string slice = "slice" + std::to_string(below(6));
            const auto now = below(4) == 0 ? nullptr : random_slice(slice, name);
            if (now)
                slices[{"default", slice}] = now;
            else
                slices.erase({"default", slice});
            records->slice_changed({"default", slice}, now);
        }
        if (below(2) == 0) continue;
        const DnsChange change = records->take_change();
        for (const DnsKey& key : change.removed) ASSERT_EQ(followed.erase(key), 1u) << key.name;
        for (const DnsRecord& record : change.set) followed.insert_or_assign(record.key, record.values);
        const auto fresh = DnsRecords::make("cluster.local");
        for (const auto& [key, slice] : slices) fresh->slice_changed(key, slice);
        for (auto at = services.rbegin(); at != services.rend(); ++at)
            fresh->service_changed(at->first, at->second);
        (void)fresh->take_change();
        std::map<DnsKey, std::vector<std::string>> expected;
        for (const DnsRecord& record : fresh->all()) expected.emplace(record.key, record.values);
        ASSERT_EQ(followed, expected) << "seed " << GetParam() << ", step " << step;
    }
}
INSTANTIATE_TEST_SUITE_P(Seeds, DnsHistory, ::testing::Range(0u, 50u));

}  // namespace
}  // namespace keelson::network
