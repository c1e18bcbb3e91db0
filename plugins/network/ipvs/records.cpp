#include "records.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "keelson/network.hpp"

namespace keelson::ipvs {
namespace {

struct RecordedKey {
    std::string address;
    std::int32_t family = AF_INET;
    std::int32_t port = 0;
    std::int32_t protocol = 0;
    std::int64_t mark = 0;
    KEELSON_FIELDS(field.required("address", self.address)
                       .required("family", self.family)
                       .required("port", self.port)
                       .required("protocol", self.protocol)
                       .required("mark", self.mark))
};
struct Records {
    std::vector<RecordedKey> servers;
    KEELSON_FIELDS(field.required("servers", self.servers))
};

std::string path_of(const Host& host) {
    return host.state_directory() + "/servers.json";
}

Key key_of(const RecordedKey& record) {
    Key key;
    if (const auto address = parse_address(record.address); address && record.mark == 0)
        key.address = *address;
    key.address.family = record.family;
    key.port = std::uint16_t(record.port);
    key.protocol = std::uint8_t(record.protocol);
    key.mark = std::uint32_t(record.mark);
    return key;
}

}  // namespace

std::set<Key> read_records(const Host& host) {
    std::set<Key> keys;
    const std::string path = path_of(host);
    std::ifstream file(path);
    if (!file) return keys;
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    try {
        for (const RecordedKey& record : read_as<Records>(parse({text.data(), text.size()})).servers)
            keys.insert(key_of(record));
    } catch (const Error& error) {
        host.warn(path + " is damaged; virtual servers of node ports that are no longer wanted stay: " +
                  error.what());
    }
    return keys;
}

void write_records(const Host& host, const std::set<Key>& keys) {
    Records records;
    for (const Key& key : keys)
        records.servers.push_back({key.mark == 0 ? key.address.text() : "", key.address.family, key.port,
                                   key.protocol, std::int64_t(key.mark)});
    const std::string path = path_of(host);
    const std::string fresh = path + ".new";
    {
        std::ofstream file(fresh, std::ios::trunc);
        file << Json(records).dump();
        if (!file.flush()) throw Error(Code::internal, "cannot write " + fresh);
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) throw Error(Code::internal, "cannot replace " + path);
}

}  // namespace keelson::ipvs
