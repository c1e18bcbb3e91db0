// Images for tests of the runtime alone: an image is a directory below FAKE_IMAGES, "sha256:<name>", with its
// layers 0, 1, ... and, if it has one, a config.json of the fields of ImageConfig.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "images_factory.h"

namespace keelson::oci {
namespace {

class FakeImages final : public ImageStore {
  public:
    explicit FakeImages(std::string directory) : directory_(std::move(directory)) {}

    images::Pulled pull(const images::Pull& request, const Call& /*call*/) override {
        return {"sha256:" + request.image};
    }
    images::Loaded load(const std::string& /*name*/, int /*archive*/, const Call& /*call*/) override {
        throw Error(Code::unsupported, "these images are not loaded");
    }
    images::Listed list() const override { return {}; }
    images::Inspected inspect(const std::string& /*image*/) const override { return {}; }
    void remove(const std::string& /*image_id*/) override {}
    images::Usage usage() const override { return {0, 0, directory_}; }
    images::Pulls pulls() const override { return {}; }

    ResolvedImage hold(const std::string& image_id, const std::string& /*holder*/) override {
        const std::string image = directory_ + "/" + image_id.substr(image_id.find(':') + 1);
        if (!std::filesystem::exists(image + "/0"))
            throw Error(Code::not_found, "there is no image " + image_id, "imageId");
        ResolvedImage resolved{image_id, {}, {}};
        for (int number = 0; std::filesystem::exists(image + "/" + std::to_string(number)); ++number)
            resolved.layers.push_back(image + "/" + std::to_string(number));
        std::ifstream file(image + "/config.json");
        const Json config = Json::parse(file, nullptr, false);
        if (!config.is_object()) return resolved;
        resolved.config.entrypoint = config.value("entrypoint", std::vector<std::string>());
        resolved.config.command = config.value("command", std::vector<std::string>());
        resolved.config.environment = config.value("environment", std::vector<std::string>());
        resolved.config.working_directory = config.value("workingDirectory", "");
        resolved.config.user = config.value("user", "");
        resolved.config.stop_signal = config.value("stopSignal", "");
        return resolved;
    }
    void release(const std::string& /*image_id*/, const std::string& /*holder*/) override {}

  private:
    std::string directory_;
};

}  // namespace

std::unique_ptr<ImageStore> make_images(const Host& /*host*/, const std::string& directory,
                                        const Json& /*settings*/) {
    return std::make_unique<FakeImages>(directory);
}

}  // namespace keelson::oci
