#include "images_factory.h"

#include <cstdint>
#include <map>
#include <vector>

#ifdef KEELSON_OCI_HAS_IMAGES
#include "images/make_image_store.h"
#endif

namespace keelson::oci {

#ifdef KEELSON_OCI_HAS_IMAGES
namespace {

struct Registry {
    std::vector<std::string> mirrors;
    bool plain_http = false;
    bool skip_verification = false;
    std::string ca_file;
    std::vector<images::Credentials> credentials;
    KEELSON_FIELDS(field.optional("mirrors", self.mirrors)
                       .optional("plainHttp", self.plain_http)
                       .optional("skipVerification", self.skip_verification)
                       .optional("caFile", self.ca_file)
                       .optional("credentials", self.credentials))
};

struct ImageSettings {
    std::map<std::string, Registry> registries;
    std::int32_t parallel_downloads = 3;
    KEELSON_FIELDS(
        field.optional("registries", self.registries).optional("parallelDownloads", self.parallel_downloads))
};

}  // namespace

std::unique_ptr<ImageStore> make_images(const Host& host, const std::string& directory,
                                        const Json& settings) {
    const auto read = read_as<ImageSettings>(settings);
    if (read.parallel_downloads < 1 || read.parallel_downloads > 64)
        throw Error(Code::invalid, "images.parallelDownloads is a number from 1 to 64",
                    "images.parallelDownloads");
    StoreSettings store;
    store.directory = directory;
    store.parallel_downloads = std::size_t(read.parallel_downloads);
    for (const auto& [name, registry] : read.registries)
        store.registries[name] = {registry.mirrors, registry.plain_http, registry.skip_verification,
                                  registry.ca_file, registry.credentials};
    store.warn = [host](const std::string& text) { host.warn(text); };
    store.monotonic = [host] { return host.monotonic(); };
    return make_image_store(std::move(store));
}
#else
std::unique_ptr<ImageStore> make_images(const Host& /*host*/, const std::string& /*directory*/,
                                        const Json& /*settings*/) {
    throw Error(Code::unsupported, "this plugin was built without its image store");
}
#endif

}  // namespace keelson::oci
