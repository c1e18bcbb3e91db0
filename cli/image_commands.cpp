#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/snapshot_file.h"

namespace keelson::cli {
namespace {

constexpr std::size_t kShownIdDigits = 12;

// "sha256:0123456789ab" as people compare it.
std::string short_id(const std::string& id) {
    return id.substr(id.find(':') + 1).substr(0, kShownIdDigits);
}

std::string size_text(std::int64_t bytes) {
    if (bytes < 1'000'000) return std::to_string(bytes / 1000) + " kB";
    return std::to_string(bytes / 1'000'000) + "." + std::to_string(bytes / 100'000 % 10) + " MB";
}

std::string names_of(const Json& image) {
    std::string names;
    for (const Json& one : image.value("names", Json::array()))
        if (one.is_string()) names += (names.empty() ? "" : ", ") + one.get<std::string>();
    return names;
}

Result<Json> ask(const Settings& settings, const Call& request) {
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const auto answer = call(*server, request);
    if (!answer) return tl::unexpected(answer.error());
    if (settings.wants_json) print_document(answer->body);
    return parse_answer(answer->body);
}

}  // namespace

Result<void> list_images(const Settings& settings) {
    const auto document = ask(settings, {.path = "/v1/images"});
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_json) return {};
    std::vector<Row> rows = {{{"IMAGE"}, {"ID"}, {"SIZE"}}};
    for (const Json& image : document->value("images", Json::array())) {
        const std::string id = short_id(text_of(image, "imageId"));
        const std::string size = size_text(image.value("sizeBytes", std::int64_t{0}));
        const Json names = image.value("names", Json::array());
        if (names.empty()) rows.push_back({{"<none>"}, {printable(id)}, {size}});
        for (const Json& name : names)
            rows.push_back(
                {{printable(name.is_string() ? name.get<std::string>() : "")}, {printable(id)}, {size}});
    }
    print_table(rows);
    return {};
}

Result<void> pull_image(const Settings& settings, const std::string& image) {
    const Json body{{"image", image}};
    const auto document = ask(settings, {.method = "POST",
                                         .path = "/v1/images/pull",
                                         .body = body.dump(-1, ' ', false, Json::error_handler_t::replace),
                                         .headers = {},
                                         .patience = std::chrono::hours(1)});
    if (!document) return tl::unexpected(document.error());
    if (!settings.wants_json)
        print("pulled " + printable(image) + " (" + printable(short_id(text_of(*document, "imageId"))) +
              ")\n");
    return {};
}

Result<void> import_images(const Settings& settings, const std::string& file, const std::string& name) {
    std::error_code code;
    // A directory opens as well, and a pipe cannot be read twice.
    if (const auto status = std::filesystem::status(file, code);
        std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return fail(file + " is not a plain file: give an archive of `docker save` or an OCI archive");
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return fail(file + ": " + std::strerror(errno));
    const FileSum sum = sum_of(stream);
    if (stream.bad()) return fail(file + " cannot be read");
    stream.clear();
    stream.seekg(0);
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const Call request{.method = "POST",
                       .path = "/v1/images/import" + (name.empty() ? "" : "?name=" + encode_segment(name)),
                       .headers = {{"X-Keelson-Sha256", sum.hexadecimal}}};
    const auto answer = upload(*server, request, stream, sum.bytes);
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_json) {
        print_document(answer->body);
        return {};
    }
    for (const Json& image : document->value("images", Json::array())) {
        const std::string names = names_of(image);
        print("imported " + printable(names.empty() ? "an image without a name" : names) + " (" +
              printable(short_id(text_of(image, "imageId"))) + ")\n");
    }
    return {};
}

Result<void> remove_image(const Settings& settings, const std::string& image) {
    const auto document =
        ask(settings, {.method = "DELETE", .path = "/v1/images?image=" + encode_segment(image)});
    if (!document) return tl::unexpected(document.error());
    if (!settings.wants_json)
        print("removed " + printable(names_of(*document)) + " (" +
              printable(short_id(text_of(*document, "imageId"))) + ")\n");
    return {};
}

}  // namespace keelson::cli
