// usage: node informer.mjs CLIENT_NODE_DIRECTORY NAMESPACE
// Follows the ConfigMaps of a namespace with an informer and prints one JSON line per event. After an error it starts
// again, as the documentation of the client says. Ends when its standard input ends.
import path from "node:path";
import { pathToFileURL } from "node:url";

const [directory, namespace] = process.argv.slice(2);
const k8s = await import(pathToFileURL(path.join(directory, "dist/index.js")).href);

const config = new k8s.KubeConfig();
config.loadFromFile(process.env.KUBECONFIG);
const core = config.makeApiClient(k8s.CoreV1Api);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const list = async () => {
    const answer = await core.listNamespacedConfigMap({ namespace });
    print({ event: "list", count: answer.items.length });
    return answer;
};
const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
for (const event of ["add", "update", "delete"]) {
    informer.on(event, (object) => print({ event, name: object.metadata.name, step: object.data?.step }));
}
informer.on("connect", () => print({ event: "connect" }));
const start = () => informer.start().catch(restart);
const restart = (error) => {
    print({ event: "error", message: String(error) });
    setTimeout(start, 50);
};
informer.on("error", restart);
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
start();
