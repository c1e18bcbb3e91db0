#include "registry.h"

#include "blob_source.h"
#include "digest.h"
#include "keelson/error.hpp"
#include "registry_endpoint.h"

namespace keelson::oci {
namespace {

constexpr const char* accepted_manifests =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool is_over(const Error& error) {
    return error.code() == Code::cancelled || error.code() == Code::deadline_exceeded;
}

}  // namespace

Repository::Repository(const StoreSettings& settings, const Reference& reference,
                       const std::vector<images::Credentials>& credentials, const Interrupt& interrupt)
    : settings_(settings),
      interrupt_(interrupt),
      client_(HttpTimeouts{settings.connect_timeout, settings.idle_timeout}, interrupt) {
    if (const auto found = settings.registries.find(reference.host); found != settings.registries.end())
        for (const std::string& mirror : found->second.mirrors)
            endpoints_.push_back(std::make_unique<RegistryEndpoint>(settings, mirror, reference.repository,
                                                                    std::vector<images::Credentials>(),
                                                                    client_, interrupt));
    endpoints_.push_back(std::make_unique<RegistryEndpoint>(settings, reference.host, reference.repository,
                                                            credentials, client_, interrupt));
}

Repository::~Repository() = default;

std::string Repository::fetch_manifest(RegistryEndpoint& endpoint, const std::string& version) const {
    const std::size_t maximum_bytes = settings_.limits.manifest_bytes;
    for (int attempt = 1;; ++attempt) {
        try {
            const auto response = endpoint.get("/manifests/" + version, {{"Accept", accepted_manifests}});
            const auto bytes = response->body(maximum_bytes);
            if (!bytes)
                throw Error(Code::invalid,
                            "the manifest is longer than " + std::to_string(maximum_bytes) + " bytes");
            if (is_digest(version) && digest_of(*bytes) != version)
                throw Error(Code::invalid, "what the registry sent is not the manifest " + version);
            return *bytes;
        } catch (const TransportError& error) {
            if (attempt >= settings_.attempts)
                throw Error(Code::unavailable,
                            std::string("the manifest cannot be fetched: ") + error.what());
        }
        pause_before(attempt, settings_, interrupt_);
    }
}

std::string Repository::manifest(const std::string& version) {
    for (std::size_t index = 0; index + 1 < endpoints_.size(); ++index) {
        try {
            return fetch_manifest(*endpoints_[index], version);
        } catch (const Error& error) {
            if (is_over(error)) throw;
            if (settings_.warn)
                settings_.warn("the mirror " + endpoints_[index]->name() +
                               " is passed over: " + error.what());
        }
    }
    return fetch_manifest(*endpoints_.back(), version);
}

std::unique_ptr<ByteSource> Repository::blob(const Content& content, Received received) {
    std::vector<RegistryEndpoint*> endpoints;
    for (const auto& endpoint : endpoints_) endpoints.push_back(endpoint.get());
    return std::make_unique<BlobSource>(settings_, interrupt_, std::move(endpoints), content,
                                        std::move(received));
}

std::string Repository::small_blob(const Content& content) {
    const auto source = blob(content, nullptr);
    std::string bytes(content.size, '\0');
    std::size_t held = 0;
    while (true) {
        char beyond = 0;
        char* const target = held < bytes.size() ? bytes.data() + held : &beyond;
        const std::size_t got = source->read(target, held < bytes.size() ? bytes.size() - held : 1);
        if (got == 0) return bytes;
        held += got;
    }
}

}  // namespace keelson::oci
