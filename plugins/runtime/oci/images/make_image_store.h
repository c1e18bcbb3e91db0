// Opens an image store, with what it needs to know about registries and limits.
#ifndef KEELSON_OCI_MAKE_IMAGE_STORE_H
#define KEELSON_OCI_MAKE_IMAGE_STORE_H

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "image_store.h"
#include "size_limits.h"

namespace keelson::oci {

struct RegistrySettings {
    // Asked in turn before the registry itself: "mirror.example:5000" or "http://127.0.0.1:5000". The scheme
    // "http://" is plain HTTP; without a scheme it is HTTPS.
    std::vector<std::string> mirrors;
    bool plain_http = false;         // HTTP without TLS; never tried by itself
    bool skip_verification = false;  // TLS, but whoever answers is believed
    std::string ca_file;             // PEM; trusted besides the system's authorities
    // After those of the call.
    std::vector<images::Credentials> credentials;
};

struct StoreSettings {
    std::string directory;  // made if it is not there, with mode 0700
    std::map<std::string, RegistrySettings>
        registries;                      // by host as in a reference: "docker.io", "localhost:5000"
    std::size_t parallel_downloads = 3;  // of layers, all pulls together
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds idle_timeout{30'000};  // without a byte from the registry
    int attempts = 4;                                // of a request that fails in a way that may pass
    std::chrono::milliseconds first_pause{200};  // before the second attempt; then twice as long each time
    Limits limits;
    std::function<void(const std::string&)> warn;  // for the log; may be null
    std::function<std::chrono::microseconds()>
        monotonic;  // Host::monotonic(), the scale of deadlines; may be null
};

// Needs root: owners, devices and attributes of files are those of the image. Images whose files are missing
// or damaged are dropped, each with a warning. Code::unavailable while another process has the same store
// open.
[[nodiscard]] std::unique_ptr<ImageStore> make_image_store(StoreSettings settings);

}  // namespace keelson::oci

#endif
