#include "images_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "digest.h"

namespace keelson::oci {
namespace {

constexpr std::size_t block = 512;

std::string octal(std::uint64_t number, int width) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%0*llo", width, static_cast<unsigned long long>(number));
    return text.data();
}

void put(std::string& header, std::size_t at, const std::string& text, std::size_t limit) {
    header.replace(at, std::min(text.size(), limit), text.substr(0, limit));
}

std::string padded(const std::string& bytes) {
    return bytes + std::string((block - bytes.size() % block) % block, '\0');
}

std::string pax_records(const std::vector<std::pair<std::string, std::string>>& records) {
    std::string bytes;
    for (const auto& [name, value] : records) {
        const std::string body = " " + name + "=" + value + "\n";
        std::size_t size = body.size() + 1;
        while (std::to_string(size).size() + body.size() != size) ++size;
        bytes += std::to_string(size) + body;
    }
    return bytes;
}

}  // namespace

Tar& Tar::add(const Header& header) {
    if (!header.extended.empty()) add({.name = "pax", .type = 'x', .content = pax_records(header.extended)});
    std::string bytes(block, '\0');
    put(bytes, 0, header.name, 100);
    put(bytes, 100, octal(header.mode, 7), 7);
    put(bytes, 108, octal(header.owner, 7), 8);
    put(bytes, 116, octal(header.group, 7), 8);
    put(bytes, 124, header.size_field.empty() ? octal(header.content.size(), 11) : header.size_field, 12);
    put(bytes, 136, octal(header.modified, 11), 12);
    bytes[156] = header.type;
    put(bytes, 157, header.link, 100);
    put(bytes, 257,
        std::string("ustar\0"
                    "00",
                    8),
        8);
    put(bytes, 329, octal(header.major, 7), 7);
    put(bytes, 337, octal(header.minor, 7), 7);
    put(bytes, 148, std::string(8, ' '), 8);
    unsigned sum = 0;
    for (const char letter : bytes) sum += static_cast<unsigned char>(letter);
    put(bytes, 148, octal(sum, 6) + std::string("\0 ", 2), 8);
    bytes_ += bytes + padded(header.content);
    return *this;
}

std::string gzip(const std::string& bytes) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = uInt(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(const std::string& bytes) {
    const std::unique_ptr<archive, int (*)(archive*)> writer(archive_write_new(), archive_write_free);
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    std::string out(bytes.size() + 65536, '\0');
    std::size_t used = 0;
    if (archive_write_add_filter_zstd(writer.get()) != ARCHIVE_OK) return {};
    archive_write_set_format_raw(writer.get());
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_write_header(writer.get(), entry.get());
    archive_write_data(writer.get(), bytes.data(), bytes.size());
    archive_write_close(writer.get());
    out.resize(used);
    return out;
}

std::string config_of(const std::vector<std::string>& layers, const std::string& extra) {
    nlohmann::json ids = nlohmann::json::array();
    for (const std::string& layer : layers) ids.push_back(digest_of(layer));
    return nlohmann::json({{"os", "linux"},
                           {"architecture", ""},
                           {"config", nlohmann::json::parse(extra)},
                           {"rootfs", {{"type", "layers"}, {"diff_ids", ids}}}})
        .dump();
}

std::string docker_archive(const std::vector<std::string>& layers, const std::string& name,
                           const std::string& extra) {
    Tar tar;
    nlohmann::json paths = nlohmann::json::array();
    for (std::size_t index = 0; index < layers.size(); ++index) {
        const std::string path = std::to_string(index) + ".tar";
        tar.file(path, layers[index]);
        paths.push_back(path);
    }
    nlohmann::json names = nlohmann::json::array();
    if (!name.empty()) names.push_back(name);
    tar.file("config.json", config_of(layers, extra));
    tar.file(
        "manifest.json",
        nlohmann::json::array({{{"Config", "config.json"}, {"RepoTags", names}, {"Layers", paths}}}).dump());
    return tar.bytes();
}

Folder::Folder() {
    std::string pattern = "/tmp/keelson-images-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
}
Folder::~Folder() {
    std::filesystem::remove_all(path_);
}

int run_program(const std::vector<std::string>& arguments) {
    std::vector<char*> words;
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const int failed = ::posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return -1;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has_program(const std::string& name) {
    return std::filesystem::exists("/usr/bin/" + name) || std::filesystem::exists("/bin/" + name);
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::string read_text(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

std::vector<std::string> tree(const std::string& path) {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
        paths.push_back(entry.path().lexically_relative(path));
    std::ranges::sort(paths);
    return paths;
}

images::Loaded ImagesTest::load_file(const std::string& path, const std::string& name, const Call& call) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return store->load(name, file.get(), call);
}

images::Loaded ImagesTest::load_bytes(const std::string& bytes, const std::string& name) {
    const Descriptor file(::memfd_create("archive", MFD_CLOEXEC));
    EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), ssize_t(bytes.size()));
    return store->load(name, file.get(), Call());
}

std::vector<std::string> ImagesTest::load_layers(const std::vector<std::string>& layers) {
    if (!store) open();
    const auto loaded = load_bytes(docker_archive(layers, "test"));
    return store->hold(loaded.images.at(0).image_id, "test").layers;
}

std::pair<Code, std::string> ImagesTest::failure(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    return {Code(0), "it succeeded"};
}

void ImagesTest::expect_refused(const std::string& layer, const std::string& reason) {
    if (!store) open();
    const auto [code, message] = failure([&] { load_bytes(docker_archive({layer}, "evil")); });
    EXPECT_EQ(code, Code::invalid) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_TRUE(store->list().images.empty());
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
}

bool ImagesTest::make_busybox() {
    if (!has_program("umoci") || !has_program("skopeo") || !has_program("busybox")) return false;
    std::filesystem::create_directories(folder / "root/bin");
    std::filesystem::copy_file("/bin/busybox", folder / "root/bin/busybox");
    std::filesystem::create_symlink("busybox", folder / "root/bin/sh");
    const std::string layout = folder / "oci";
    return run_program({"umoci", "init", "--layout", layout}) == 0 &&
           run_program({"umoci", "new", "--image", layout + ":1"}) == 0 &&
           run_program({"umoci", "insert", "--image", layout + ":1", folder / "root", "/"}) == 0 &&
           run_program({"umoci", "config", "--image", layout + ":1", "--config.entrypoint", "/bin/sh",
                        "--config.env", "A=b", "--config.user", "12:34", "--config.workingdir", "/w"}) == 0;
}

}  // namespace keelson::oci
