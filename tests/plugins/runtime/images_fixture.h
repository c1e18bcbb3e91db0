// Archives made by hand and by skopeo, and a store in a directory of its own.
#ifndef KEELSON_TESTS_IMAGES_FIXTURE_H
#define KEELSON_TESTS_IMAGES_FIXTURE_H

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "keelson/error.hpp"
#include "make_image_store.h"

namespace keelson::oci {

// A tar archive, byte by byte, so that it can be wrong in any way.
class Tar {
  public:
    struct Header {
        std::string name;
        char type = '0';
        std::string content;
        std::string link;
        unsigned mode = 0644;
        std::uint64_t owner = 0;
        std::uint64_t group = 0;
        std::uint64_t modified = 1'600'000'000;
        unsigned major = 0;
        unsigned minor = 0;
        std::string size_field;                                     // instead of the content's, when said
        std::vector<std::pair<std::string, std::string>> extended;  // pax records
    };
    Tar& add(const Header& header);
    Tar& directory(const std::string& name, unsigned mode = 0755) {
        return add({.name = name, .type = '5', .mode = mode});
    }
    Tar& file(const std::string& name, const std::string& content = "x", unsigned mode = 0644) {
        return add({.name = name, .content = content, .mode = mode});
    }
    Tar& symbolic_link(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '2', .link = target});
    }
    Tar& hard_link(const std::string& name, const std::string& target) {
        return add({.name = name, .type = '1', .link = target});
    }
    // With the two empty blocks at the end.
    [[nodiscard]] std::string bytes() const { return bytes_ + std::string(1024, '\0'); }
    [[nodiscard]] const std::string& unfinished_bytes() const { return bytes_; }

  private:
    std::string bytes_;
};

[[nodiscard]] std::string gzip(const std::string& bytes);
// Empty when libarchive cannot.
[[nodiscard]] std::string zstd(const std::string& bytes);

// The documents of an image of these layers (as tars).
[[nodiscard]] std::string config_of(const std::vector<std::string>& layers, const std::string& extra = "{}");
[[nodiscard]] std::string docker_archive(const std::vector<std::string>& layers, const std::string& name,
                                         const std::string& extra = "{}");

// A name below /tmp that goes away with everything in it.
class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// Runs a program without a shell; its exit status, with its output in the given file if there is one.
int run_program(const std::vector<std::string>& arguments);
[[nodiscard]] bool has_program(const std::string& name);
void write_text(const std::string& path, const std::string& text);
[[nodiscard]] std::string read_text(const std::string& path);
// Every path below, relative, sorted.
[[nodiscard]] std::vector<std::string> tree(const std::string& path);

class ImagesTest : public testing::Test {
  protected:
    ImagesTest() {
        settings.directory = folder / "store";
        settings.warn = [this](const std::string& text) { warnings.push_back(text); };
    }

    void open() {
        store.reset();
        store = make_image_store(settings);
    }
    images::Loaded load_file(const std::string& path, const std::string& name = {},
                             const Call& call = Call());
    images::Loaded load_bytes(const std::string& bytes, const std::string& name = {});
    // Loads an image of these layers and answers its layer directories.
    std::vector<std::string> load_layers(const std::vector<std::string>& layers);
    // The code and the message of a failure.
    [[nodiscard]] static std::pair<Code, std::string> failure(const std::function<void()>& action);
    void expect_refused(const std::string& layer, const std::string& reason);
    // busybox as an OCI layout "oci" with the tag "1"; false when a tool is missing.
    [[nodiscard]] bool make_busybox();

    Folder folder;
    StoreSettings settings;
    std::vector<std::string> warnings;
    std::unique_ptr<ImageStore> store;
};

}  // namespace keelson::oci

#endif
