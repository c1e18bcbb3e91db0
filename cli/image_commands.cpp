#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace keelson::cli {
namespace {

constexpr std::size_t kShownIdDigits = 12;

// "sha256:0123456789ab" as people compare it.
std::string short_id(const std::string& id) {
    return id.substr(id.find(':') + 1).substr(0, kShownIdDigits);
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
    auto document = parse_answer(answer->body);
    if (document && settings.wants_document()) print_document(answer->body, settings.format);
    return document;
}

// Shows how far the node is with a pull, until this goes.
class PullWatch {
  public:
    PullWatch(const Settings& settings, std::string image)
        : settings_(settings), image_(std::move(image)), line_("pulling " + image_) {
        if (line_.is_shown()) thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
    }

  private:
    static constexpr std::chrono::milliseconds kBetweenLooks{200};

    void watch(const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any stopped;
        std::unique_lock lock(mutex);
        do {
            look();
            stopped.wait_for(lock, stop, kBetweenLooks, [&] { return stop.stop_requested(); });
        } while (!stop.stop_requested());
    }
    // A runtime that does not tell leaves the line empty.
    void look() {
        const auto server = find_server(settings_.server);
        if (!server) return;
        const auto answer = call(*server, {.path = "/v1/images/pulls"});
        if (!answer) return;
        const auto document = parse_answer(answer->body);
        if (!document) return;
        for (const Json& pull : document->value("pulls", Json::array()))
            if (text_of(pull, "image") == image_)
                line_.show(pull.value("doneBytes", std::uint64_t{0}),
                           pull.value("wholeBytes", std::uint64_t{0}));
    }

    const Settings& settings_;
    const std::string image_;
    ProgressLine line_;
    std::jthread thread_;  // the last member: it ends before the others go
};

}  // namespace

Result<void> list_images(const Settings& settings) {
    const auto document = ask(settings, {.path = "/v1/images"});
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document()) return {};
    std::vector<Row> rows = {{{"IMAGE"}, {"ID"}, {"SIZE"}}};
    for (const Json& image : document->value("images", Json::array())) {
        const std::string id = short_id(text_of(image, "imageId"));
        const std::string size = size_text(image.value("sizeBytes", std::uint64_t{0}));
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
    const auto document = [&] {
        const PullWatch watch(settings, image);
        return ask(settings, {.method = "POST",
                              .path = "/v1/images/pull",
                              .body = text_of(body),
                              .headers = {},
                              .patience = std::chrono::hours(1)});
    }();
    if (!document) return tl::unexpected(document.error());
    if (!settings.wants_document())
        print("pulled " + printable(image) + " (" + printable(short_id(text_of(*document, "imageId"))) +
              ")\n");
    return {};
}

Result<void> import_images(const Settings& settings, const std::string& file, const std::string& name) {
    auto source = open_source(file, "give an archive of `docker save` or an OCI archive");
    if (!source) return tl::unexpected(source.error());
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const Call request{.method = "POST",
                       .path = "/v1/images/import" + (name.empty() ? "" : "?name=" + encode_segment(name)),
                       .headers = {{"X-Keelson-Sha256", source->sum.hexadecimal}}};
    const auto answer = [&] {
        ProgressLine line("importing " + file);
        return upload(*server, request, source->stream, source->sum.bytes,
                      [&](std::uint64_t sent) { line.show(sent, source->sum.bytes); });
    }();
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document()) {
        print_document(answer->body, settings.format);
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
    if (!settings.wants_document())
        print("removed " + printable(names_of(*document)) + " (" +
              printable(short_id(text_of(*document, "imageId"))) + ")\n");
    return {};
}

}  // namespace keelson::cli
