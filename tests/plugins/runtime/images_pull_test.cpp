// Pulling from a registry that answers as the test wants, mostly badly.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "digest.h"
#include "images_fixture.h"
#include "images_server.h"

namespace keelson::oci {
namespace {

std::string noise(std::size_t size, unsigned seed = 1) {
    std::minstd_rand random(seed);
    std::string bytes(size, '\0');
    std::ranges::generate(bytes, [&] { return char(random()); });
    return bytes;
}

class ImagesPull : public ImagesTest {
  protected:
    ImagesPull() {
        settings.first_pause = std::chrono::milliseconds(1);
        settings.connect_timeout = settings.idle_timeout = std::chrono::seconds(5);
    }

    void serve(Server::Handler handler) {
        server = std::make_unique<Server>(std::move(handler));
        settings.registries[server->host()].plain_http = true;
        open();
    }
    void serve(const FakeImage& image) {
        serve([&image](const ServerRequest& request) { return image.answer(request); });
    }
    [[nodiscard]] std::string name(const std::string& version = ":1") const {
        return server->host() + "/test" + version;
    }
    std::string pull(const std::vector<images::Credentials>& credentials = {}) {
        return store->pull({name(), credentials}, Call()).image_id;
    }
    [[nodiscard]] std::pair<Code, std::string> pull_failure(
        const std::vector<images::Credentials>& credentials = {}) {
        auto failed = failure([&] { pull(credentials); });
        EXPECT_TRUE(store->list().images.empty());
        EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
        EXPECT_TRUE(tree(settings.directory + "/layers").empty());
        return failed;
    }
    [[nodiscard]] std::ptrdiff_t asked(const std::string& part) const {
        return std::ranges::count_if(server->requests(), [&](const std::string& request) {
            return request.find(part) != std::string::npos;
        });
    }

    std::unique_ptr<Server> server;
};

TEST_F(ImagesPull, GetsManifestConfigAndLayers) {
    const FakeImage image({Tar().file("a", "1").bytes(), Tar().file("b", noise(500'000)).bytes()});
    serve(image);
    const std::string id = pull();
    const auto listed = store->list().images;
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].image_id, id);
    EXPECT_EQ(listed[0].names, std::vector<std::string>{name()});
    EXPECT_EQ(listed[0].digests, std::vector<std::string>{name("@" + digest_of(image.manifest))});
    EXPECT_TRUE(store->inspect(name("@" + digest_of(image.manifest))).image);
    const auto layers = store->hold(id, "c").layers;
    EXPECT_EQ(read_text(layers.at(1) + "/b"), noise(500'000));
    EXPECT_EQ(pull(), id);
    EXPECT_EQ(asked(image.layer_digests[0]), 1);
}

TEST_F(ImagesPull, TellsHowFarItIs) {
    const FakeImage image({Tar().file("a", noise(300'000)).bytes(), Tar().file("b", noise(500'000)).bytes()});
    settings.parallel_downloads = 1;
    images::Pulls at_manifest;
    images::Pulls at_second_layer;
    serve([&](const ServerRequest& request) {
        if (request.target.find("/manifests/") != std::string::npos) at_manifest = store->pulls();
        if (request.target.find(image.layer_digests[1]) != std::string::npos)
            at_second_layer = store->pulls();
        return image.answer(request);
    });
    EXPECT_TRUE(store->pulls().pulls.empty());
    pull();
    ASSERT_EQ(at_manifest.pulls.size(), 1U);
    EXPECT_EQ(at_manifest.pulls[0].image, name());
    EXPECT_EQ(at_manifest.pulls[0].whole_bytes, 0);
    ASSERT_EQ(at_second_layer.pulls.size(), 1U);
    const auto size_of = [&](int layer) {
        return std::int64_t(image.blobs.at(image.layer_digests[layer]).size());
    };
    EXPECT_EQ(at_second_layer.pulls[0].done_bytes, size_of(0));
    EXPECT_EQ(at_second_layer.pulls[0].whole_bytes, size_of(0) + size_of(1));
    EXPECT_TRUE(store->pulls().pulls.empty());
}

TEST_F(ImagesPull, FindsARegistryByItsName) {
    const FakeImage image({Tar().file("a").bytes()});
    serve(image);
    const std::string host = "localhost" + server->host().substr(server->host().find(':'));
    settings.registries[host].plain_http = true;
    open();
    store->pull({host + "/test:1", {}}, Call());
    EXPECT_EQ(store->list().images.at(0).names.at(0), host + "/test:1");
    settings.attempts = 1;
    open();
    EXPECT_EQ(failure([&] { store->pull({"nothing.invalid/test:1", {}}, Call()); }).first, Code::unavailable);
}

TEST_F(ImagesPull, ByDigestGivesNoTag) {
    const FakeImage image({Tar().file("a").bytes()});
    serve(image);
    store->pull({name("@" + digest_of(image.manifest)), {}}, Call());
    const auto listed = store->list().images;
    EXPECT_TRUE(listed.at(0).names.empty());
    EXPECT_EQ(listed.at(0).digests.size(), 1U);
}

TEST_F(ImagesPull, ChoosesTheManifestForThisMachine) {
    const FakeImage other({Tar().file("other").bytes()});
    FakeImage image({Tar().file("mine").bytes()});
    image.put_index({&other, &image});
    serve(image);
    const auto layers = store->hold(pull(), "c").layers;
    EXPECT_EQ(tree(layers.at(0)), std::vector<std::string>{"mine"});
    EXPECT_TRUE(store->inspect(name("@" + digest_of(image.manifests.at("1")))).image);
    open();
    EXPECT_EQ(store->list().images.size(), 1U);
}

TEST_F(ImagesPull, SaysForWhichMachinesAnImageIs) {
    FakeImage image({Tar().file("other").bytes()});
    image.put_index({&image});
    serve(image);
    const auto [code, message] = pull_failure();
    EXPECT_EQ(code, Code::not_found);
    EXPECT_NE(message.find("linux/nonesuch"), std::string::npos) << message;
}

TEST_F(ImagesPull, RefusesAnImageForAnotherMachine) {
    const FakeImage image({Tar().file("other").bytes()}, "nonesuch");
    serve(image);
    EXPECT_EQ(pull_failure().first, Code::not_found);
}

TEST_F(ImagesPull, ResumesWhereAConnectionBroke) {
    const FakeImage image({Tar().file("big", noise(400'000)).bytes()});
    std::vector<std::string> ranges;
    serve([&](const ServerRequest& request) {
        ServerResponse response = image.answer(request);
        if (request.target.find(image.layer_digests[0]) != std::string::npos) {
            ranges.push_back(request.header("range"));
            if (response.body.size() > 150'000) response.cut_after = 150'000;
        }
        return response;
    });
    const auto layers = store->hold(pull(), "c").layers;
    EXPECT_EQ(read_text(layers.at(0) + "/big"), noise(400'000));
    EXPECT_EQ(ranges, (std::vector<std::string>{"", "bytes=150000-", "bytes=300000-"}));
}

TEST_F(ImagesPull, GoesOnWithARegistryThatKnowsNoRanges) {
    const FakeImage image({Tar().file("big", noise(400'000)).bytes()});
    std::atomic<int> asked_for_layer = 0;
    serve([&](ServerRequest request) {
        request.head = "GET / HTTP/1.1\r\n";
        ServerResponse response = image.answer(request);
        if (request.target.find(image.layer_digests[0]) != std::string::npos && asked_for_layer++ == 0)
            response.cut_after = 150'000;
        return response;
    });
    EXPECT_EQ(read_text(store->hold(pull(), "c").layers.at(0) + "/big"), noise(400'000));
}

TEST_F(ImagesPull, GivesUpOnALayerThatBreaksOffAgainAndAgain) {
    const FakeImage image({Tar().file("big", noise(400'000)).bytes()});
    serve([&](const ServerRequest& request) {
        ServerResponse response = image.answer(request);
        if (request.target.find(image.layer_digests[0]) != std::string::npos) response.cut_after = 0;
        return response;
    });
    EXPECT_EQ(pull_failure().first, Code::unavailable);
    EXPECT_EQ(asked(image.layer_digests[0]), settings.attempts);
}

TEST_F(ImagesPull, RefusesWhatIsNotItsDigest) {
    for (const std::string& part : {std::string("layer"), std::string("config"), std::string("manifest")}) {
        FakeImage image({Tar().file("a", noise(1000)).bytes()});
        auto& blob = part == "manifest" ? image.manifests.at(digest_of(image.manifest))
                     : part == "layer"  ? image.blobs.at(image.layer_digests[0])
                                        : std::ranges::find_if(image.blobs, [&](const auto& entry) {
                                             return entry.first != image.layer_digests[0];
                                         })->second;
        blob[blob.size() / 2] ^= 1;
        serve(image);
        const auto [code, message] = failure([&] {
            store->pull({part == "manifest" ? name("@" + digest_of(image.manifest)) : name(), {}}, Call());
        });
        EXPECT_EQ(code, Code::invalid) << part << message;
        EXPECT_TRUE(store->list().images.empty());
        EXPECT_TRUE(tree(settings.directory + "/layers").empty());
    }
}

TEST_F(ImagesPull, RefusesALayerWithAnythingBehindIt) {
    FakeImage image({Tar().file("a").bytes()});
    image.blobs.at(image.layer_digests[0]) += "more";
    serve(image);
    EXPECT_EQ(pull_failure().first, Code::invalid);
}

TEST_F(ImagesPull, RefusesADiffIdThatIsAnother) {
    FakeImage image({Tar().file("a").bytes()});
    const FakeImage other({Tar().file("b").bytes()});
    std::string manifest = image.manifest;
    manifest.replace(manifest.find(image.layer_digests[0]), 71, other.layer_digests[0]);
    const std::string size = "\"size\":" + std::to_string(image.blobs.at(image.layer_digests[0]).size());
    manifest.replace(manifest.rfind(size), size.size(),
                     "\"size\":" + std::to_string(other.blobs.at(other.layer_digests[0]).size()));
    image.manifests["1"] = manifest;
    image.blobs.insert(other.blobs.begin(), other.blobs.end());
    serve(image);
    const auto [code, message] = pull_failure();
    EXPECT_EQ(code, Code::invalid);
    EXPECT_NE(message.find("as the config says"), std::string::npos) << message;
}

TEST_F(ImagesPull, SaysWhatTheRegistrySays) {
    std::atomic<int> status = 404;
    serve([&](const ServerRequest&) { return ServerResponse{.status = status}; });
    EXPECT_EQ(pull_failure().first, Code::not_found);
    status = 401;
    EXPECT_EQ(pull_failure().first, Code::forbidden);
    status = 403;
    EXPECT_EQ(pull_failure().first, Code::forbidden);
    status = 418;
    EXPECT_EQ(pull_failure().first, Code::unavailable);
    const auto before = server->requests().size();
    status = 503;
    EXPECT_EQ(pull_failure().first, Code::unavailable);
    EXPECT_EQ(server->requests().size() - before, std::size_t(settings.attempts));
}

TEST_F(ImagesPull, SaysThatTheRegistryIsDown) {
    serve([](const ServerRequest&) { return ServerResponse{}; });
    const std::string image = name();
    server.reset();
    const auto [code, message] = failure([&] { store->pull({image, {}}, Call()); });
    EXPECT_EQ(code, Code::unavailable);
    EXPECT_NE(message.find("refused"), std::string::npos) << message;
}

TEST_F(ImagesPull, RefusesManifestsThatAreNone) {
    for (const std::string& manifest :
         {std::string("no json"), std::string("{}"), std::string(R"({"schemaVersion": 1, "fsLayers": []})"),
          std::string(R"({"config": {"digest": "../../etc/passwd", "size": 1}, "layers": []})"),
          std::string(R"({"config": {"digest": "sha256:)") + std::string(64, 'a') +
              R"(", "size": -1}, "layers": []})",
          std::string(std::size_t(5) << 20U, ' ')}) {
        FakeImage image({});
        image.manifests["1"] = manifest;
        serve(image);
        EXPECT_EQ(pull_failure().first, Code::invalid) << manifest.substr(0, 80);
    }
}

TEST_F(ImagesPull, FetchesATokenWithEachOfTheCredentials) {
    const FakeImage image({Tar().file("a").bytes()});
    std::string host;
    serve([&](const ServerRequest& request) -> ServerResponse {
        if (request.target.starts_with("/token")) {
            if (request.header("authorization") != "Basic dXNlcjpnb29k") return {.status = 401};
            EXPECT_NE(request.target.find("service=svc"), std::string::npos);
            EXPECT_NE(request.target.find("scope=repository%3Atest%3Apull"), std::string::npos)
                << request.target;
            return {.body = R"({"token": "abc"})"};
        }
        if (request.header("authorization") != "Bearer abc")
            return {.status = 401,
                    .headers = {"WWW-Authenticate: Bearer realm=\"http://" + host +
                                "/token\",service=\"svc\",scope=\"repository:test:pull\""}};
        return image.answer(request);
    });
    host = server->host();
    EXPECT_EQ(pull_failure().first, Code::forbidden);
    EXPECT_EQ(pull_failure({{"user", "bad", "", ""}}).first, Code::forbidden);
    const auto before = asked("/token");
    pull({{"user", "bad", "", ""}, {"user", "good", "", ""}});
    EXPECT_EQ(asked("/token") - before, 2);
}

TEST_F(ImagesPull, TradesAnIdentityTokenAndSendsARegistryToken) {
    const FakeImage image({Tar().file("a").bytes()});
    std::string host;
    serve([&](const ServerRequest& request) -> ServerResponse {
        if (request.target.starts_with("/token")) {
            if (request.method != "POST") return {.status = 401};
            EXPECT_NE(request.body.find("grant_type=refresh_token"), std::string::npos);
            return {.body = request.body.find("refresh_token=id%2Ftoken") == std::string::npos
                                ? "{}"
                                : R"({"access_token": "abc"})"};
        }
        if (request.header("authorization") != "Bearer abc")
            return {.status = 401,
                    .headers = {"WWW-Authenticate: Basic realm=\"x\", Bearer realm=\"http://" + host +
                                "/token\""}};
        return image.answer(request);
    });
    host = server->host();
    EXPECT_EQ(pull_failure({{"", "", "wrong", ""}}).first, Code::forbidden);
    pull({{"", "", "id/token", ""}});
    store->pull({name(), {{"", "", "", "abc"}}}, Call());
    EXPECT_EQ(failure([&] { pull({{"", "", "", "abc\r\nX: y"}}); }).first, Code::forbidden);
}

TEST_F(ImagesPull, TellsAnotherServerNothingWhenItIsRedirected) {
    const FakeImage image({Tar().file("a").bytes()});
    std::vector<std::string> seen;
    Server storage([&](const ServerRequest& request) {
        seen.push_back(request.header("authorization"));
        return image.answer(request);
    });
    serve([&](const ServerRequest& request) -> ServerResponse {
        if (request.header("authorization").empty())
            return {.status = 401, .headers = {"WWW-Authenticate: Basic realm=\"x\""}};
        if (request.target.find("/blobs/") == std::string::npos) return image.answer(request);
        return {.status = 307, .headers = {"Location: http://" + storage.host() + request.target}};
    });
    pull({{"user", "secret", "", ""}});
    EXPECT_EQ(seen, (std::vector<std::string>{"", ""}));
}

TEST_F(ImagesPull, RunsInNoCircles) {
    serve([&](const ServerRequest& request) -> ServerResponse {
        return {.status = 302, .headers = {"Location: " + request.target}};
    });
    const auto [code, message] = pull_failure();
    EXPECT_EQ(code, Code::unavailable);
    EXPECT_NE(message.find("circles"), std::string::npos);
}

TEST_F(ImagesPull, AsksMirrorsFirstAndWithoutCredentials) {
    const FakeImage image({Tar().file("a").bytes()});
    std::vector<std::string> seen;
    Server down([&](const ServerRequest&) { return ServerResponse{.status = 500}; });
    Server mirror([&](const ServerRequest& request) {
        seen.push_back(request.header("authorization"));
        return image.answer(request);
    });
    settings.attempts = 1;
    serve(image);
    settings.registries[server->host()].mirrors = {"http://" + down.host(), "http://" + mirror.host()};
    open();
    pull({{"user", "secret", "", ""}});
    EXPECT_EQ(store->list().images.at(0).names.at(0), name());
    EXPECT_TRUE(server->requests().empty());
    EXPECT_EQ(seen, (std::vector<std::string>{"", "", ""}));
    ASSERT_FALSE(warnings.empty());
    EXPECT_NE(warnings[0].find(down.host()), std::string::npos);
}

TEST_F(ImagesPull, EndsWhenTheCallIsCancelledOrItsDeadlinePasses) {
    const FakeImage image({Tar().file("a").bytes()});
    serve([&](const ServerRequest& request) {
        ServerResponse response = image.answer(request);
        response.hangs = request.target.find("/manifests/") == std::string::npos;
        if (request.target.find(image.layer_digests[0]) != std::string::npos) response.cut_after = 10;
        return response;
    });
    settings.idle_timeout = std::chrono::hours(1);
    std::atomic<std::int32_t> cancelled = 0;
    keelson_call table = {
        sizeof(keelson_call), 0, nullptr, 0, reinterpret_cast<const std::int32_t*>(&cancelled), ""};
    open();
    std::thread canceller([&] {
        while (server->requests().size() < 2) std::this_thread::yield();
        cancelled = 1;
    });
    EXPECT_EQ(failure([&] { store->pull({name(), {}}, Call(&table, nullptr)); }).first, Code::cancelled);
    canceller.join();
    cancelled = 0;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto soon =
        std::chrono::duration_cast<std::chrono::microseconds>(now) + std::chrono::milliseconds(100);
    EXPECT_EQ(failure([&] { store->pull({name(), {}}, Call().until(soon)); }).first, Code::deadline_exceeded);
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    server.reset();  // before what it serves
}

TEST_F(ImagesPull, GivesUpOnASilentRegistry) {
    serve([&](const ServerRequest&) { return ServerResponse{.hangs = true}; });
    settings.idle_timeout = std::chrono::milliseconds(50);
    settings.attempts = 2;
    open();
    EXPECT_EQ(pull_failure().first, Code::unavailable);
    EXPECT_EQ(server->requests().size(), 2U);
}

TEST_F(ImagesPull, SharesTheWorkOfPullsAtTheSameTime) {
    std::vector<std::string> layers;
    for (unsigned index = 0; index < 6; ++index)
        layers.push_back(Tar().file("f" + std::to_string(index), noise(200'000, index + 1)).bytes());
    const FakeImage image(layers);
    serve(image);
    std::vector<std::string> ids(4);
    {
        std::vector<std::jthread> threads;
        threads.reserve(ids.size());
        for (std::string& id : ids) threads.emplace_back([&] { EXPECT_NO_THROW(id = pull()); });
    }
    for (const std::string& id : ids) EXPECT_EQ(id, ids[0]);
    for (const std::string& digest : image.layer_digests) EXPECT_EQ(asked(digest), 1) << digest;
    EXPECT_EQ(store->hold(ids[0], "c").layers.size(), 6U);
    store->release(ids[0], "c");
    store->remove(ids[0]);
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
}

TEST_F(ImagesPull, StartsCleanAfterItWasKilled) {
    const FakeImage image({Tar().file("done").bytes(), Tar().file("big", noise(400'000)).bytes()});
    std::atomic<bool> is_stuck = true;
    serve([&](const ServerRequest& request) {
        ServerResponse response = image.answer(request);
        if (is_stuck && request.target.find(image.layer_digests[1]) != std::string::npos) {
            response.hangs = true;
            response.cut_after = 300'000;
        }
        return response;
    });
    const std::string wanted = name();
    store.reset();
    const pid_t child = ::fork();
    if (child == 0) {
        open();
        store->pull({wanted, {}}, Call());
        ::_exit(0);
    }
    while (asked(image.layer_digests[1]) == 0) std::this_thread::yield();
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    is_stuck = false;
    open();
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
    EXPECT_EQ(store->hold(pull(), "c").layers.size(), 2U);
    EXPECT_TRUE(warnings.empty());
    server.reset();  // before what it serves
}

TEST_F(ImagesPull, GoesOnWhenAnotherPullOfTheSameLayerFails) {
    const FakeImage image({Tar().file("a", noise(100'000)).bytes()});
    std::atomic<bool> is_stuck = true;
    serve([&](const ServerRequest& request) {
        ServerResponse response = image.answer(request);
        if (request.target.find(image.layer_digests[0]) != std::string::npos && is_stuck.exchange(false)) {
            response.hangs = true;
            response.cut_after = 1000;
        }
        return response;
    });
    std::atomic<std::int32_t> cancelled = 0;
    keelson_call table = {
        sizeof(keelson_call), 0, nullptr, 0, reinterpret_cast<const std::int32_t*>(&cancelled), ""};
    std::jthread first([&] {
        EXPECT_EQ(failure([&] { store->pull({name(), {}}, Call(&table, nullptr)); }).first, Code::cancelled);
    });
    while (is_stuck) std::this_thread::yield();
    std::jthread second([&] { EXPECT_NO_THROW(pull()); });
    while (asked("/manifests/") < 2) std::this_thread::yield();
    cancelled = 1;
    first.join();
    second.join();
    EXPECT_EQ(store->list().images.size(), 1U);
    EXPECT_EQ(asked(image.layer_digests[0]), 2);
    server.reset();  // before what it serves
}

}  // namespace
}  // namespace keelson::oci
