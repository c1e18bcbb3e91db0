// What is attached, on disk: written before anything is made in the system, so that a crash loses nothing.
#ifndef KEELSON_BRIDGE_RECORDS_H
#define KEELSON_BRIDGE_RECORDS_H

#include <map>
#include <string>
#include <vector>

#include "keelson/network.hpp"

namespace keelson::bridge {

struct Attachment {
    std::vector<std::string> addresses;  // with prefix lengths, one for each pod CIDR
    std::vector<pod_network::HostPort> host_ports;
    KEELSON_FIELDS(field.required("addresses", self.addresses).required("hostPorts", self.host_ports))
};

struct Records {
    std::map<std::string, Attachment> sandboxes;
    std::vector<std::string> freed;  // addresses, first the longest ago
    KEELSON_FIELDS(field.required("sandboxes", self.sandboxes).required("freed", self.freed))
};

class RecordFile {
  public:
    explicit RecordFile(const std::string& directory) : path_(directory + "/attachments.json") {}

    [[nodiscard]] const std::string& path() const { return path_; }
    // None when there is no file yet. Throws when it cannot be read or is not what write() has written.
    [[nodiscard]] Records read() const;
    // Old or new, never half of it. Not synced: when the machine goes down, what it describes goes with it.
    void write(const Records& records) const;

  private:
    std::string path_;
};

}  // namespace keelson::bridge

#endif
