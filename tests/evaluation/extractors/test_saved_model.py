"""Networks from folders and from TensorFlow Hub: what is loaded, hashed and refused."""

import http.server
import os
import pathlib
import shutil
import tarfile
import threading

import numpy as np
import pytest
import tensorflow as tf

from tfgan_stab.evaluation.extractors import saved_model
from tfgan_stab.evaluation.extractors.saved_model import (
    downloaded,
    folder_hash,
    is_handle,
    loaded,
)

SHAPE = (4, 4, 3)


class Network(tf.Module):
    """A sum of pixels and a product with a weight; as an object, or only by its signature."""

    def __init__(self, weight=2.0):
        super().__init__()
        self.weight = tf.Variable(weight)

    def outputs(self, images):
        total = tf.reduce_sum(images, axis=[1, 2, 3])[:, tf.newaxis]
        return {"total": total, "scaled": self.weight * total}


def export(folder, outputs=None, called=True, shape=SHAPE, weight=2.0, signature="serving_default"):
    network = Network(weight)
    function = tf.function(
        outputs or network.outputs,
        input_signature=[tf.TensorSpec([None, *shape], tf.float32, name="pixels")],
    )
    if called:
        network.__call__ = function
        tf.saved_model.save(network, str(folder))
    else:
        tf.saved_model.save(network, str(folder), signatures={signature: function})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export(tmp_path_factory.mktemp("networks") / "called")


@pytest.mark.parametrize("called", [True, False], ids=["object", "signature"])
def test_a_network_runs_as_an_object_or_by_its_signature(tmp_path, called):
    network = loaded(export(tmp_path / "network", called=called), SHAPE)
    images = np.random.RandomState(0).uniform(-1, 1, [5, *SHAPE]).astype(np.float32)
    outputs = network.run(tf.constant(images))
    assert network.outputs == ("scaled", "total") == tuple(sorted(outputs))
    expected = images.sum(axis=(1, 2, 3), dtype=np.float64)[:, np.newaxis]
    np.testing.assert_allclose(outputs["total"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs["scaled"], 2 * expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["lr=[1,2]", "a\\b"])
def test_a_network_may_lie_in_a_folder_of_any_name(tmp_path, folder, name):
    copied = shutil.copytree(folder, tmp_path / name / "network")
    network, images = loaded(copied, SHAPE), tf.ones([2, *SHAPE])
    np.testing.assert_allclose(network.run(images)["scaled"], [[96.0], [96.0]])
    assert network.content_hash == loaded(folder, SHAPE).content_hash


def test_an_older_module_of_tensorflow_hub_runs_its_graph_for_inference(tmp_path):
    v1, builder = tf.compat.v1, tf.compat.v1.saved_model.Builder(str(tmp_path / "module"))
    for tags, factor in [([], 2.0), (["train"], 3.0)]:
        with tf.Graph().as_default(), v1.Session() as session:
            images = v1.placeholder(tf.float32, [None, *SHAPE])
            scaled = factor * v1.get_variable("one", initializer=1.0) * images
            signature = v1.saved_model.predict_signature_def({"images": images}, {"scaled": scaled})
            session.run(v1.global_variables_initializer())
            if tags:
                builder.add_meta_graph(tags, {"default": signature})
            else:
                builder.add_meta_graph_and_variables(session, tags, {"default": signature})
    builder.save()
    (tmp_path / "module" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    network = loaded(tmp_path / "module", SHAPE)
    assert network.outputs == ("scaled",)
    assert np.unique(network.run(tf.ones([1, *SHAPE]))["scaled"]).tolist() == [2.0]


def test_a_folder_is_loaded_once(folder, monkeypatch):
    network = loaded(folder, SHAPE)
    monkeypatch.setattr(
        tf.saved_model, "load", lambda *arguments, **options: pytest.fail("loaded again")
    )
    monkeypatch.chdir(folder)
    assert loaded(folder, SHAPE) is network
    assert loaded(pathlib.Path("../called"), SHAPE) is network


def test_a_network_that_is_loaded_while_a_graph_is_built_is_no_part_of_it(tmp_path):
    folder = export(tmp_path / "network")
    with tf.Graph().as_default() as graph:
        network = loaded(folder, SHAPE)
        assert not graph.get_operations()
    assert network.run(tf.ones([1, *SHAPE]))["total"].numpy() == 48


def test_the_hash_tells_of_weights_and_graph_and_of_nothing_else(folder, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    (copy / "fingerprint.pb").write_bytes(b"other")
    (copy / "README.md").write_text("How this was obtained.")
    assert folder_hash(copy) == folder_hash(folder)
    assert loaded(folder, SHAPE).content_hash == folder_hash(folder)[:8]
    hashes = {folder_hash(folder)}
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001"):
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        hashes.add(folder_hash(copy))
        (copy / name).write_bytes(content)
    (copy / "assets" / "inner").mkdir(parents=True)
    (copy / "assets" / "inner" / "words.txt").write_text("cat")
    hashes.add(folder_hash(copy))
    (copy / "assets" / "inner" / "words.txt").rename(copy / "assets" / "inner" / "others.txt")
    hashes.add(folder_hash(copy))
    assert len(hashes) == 5


def test_other_weights_have_another_hash(folder, tmp_path):
    assert folder_hash(export(tmp_path / "other", weight=3.0)) != folder_hash(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a SavedModel.*Received: no such folder"):
        loaded(tmp_path / "missing", SHAPE)


def test_a_folder_of_other_things_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: a folder of nothing"):
        loaded(tmp_path, SHAPE)
    (tmp_path / "model.h5").write_text("")
    with pytest.raises(FileNotFoundError, match="Received: a folder of model.h5"):
        loaded(tmp_path, SHAPE)


@pytest.mark.parametrize("damaged", ["saved_model.pb", "variables/variables.index"])
def test_a_damaged_savedmodel_is_refused(folder, tmp_path, damaged):
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    (copy / damaged).write_bytes(b"not what it was")
    with pytest.raises(ValueError, match="cannot be read.*Obtain it again"):
        loaded(copy, SHAPE)


def test_a_network_that_takes_other_images_is_refused(tmp_path):
    other = export(tmp_path / "other", shape=(8, 8, 1))
    with pytest.raises(ValueError, match=r"take float32 images \[batch, 4, 4, 3\]. It refuses"):
        loaded(other, SHAPE)


def test_a_network_of_one_nameless_output_is_refused(tmp_path):
    nameless = export(tmp_path / "nameless", outputs=lambda images: 2 * images)
    with pytest.raises(ValueError, match="must return a dict of outputs. Received: .*Tensor"):
        loaded(nameless, SHAPE)


def test_a_savedmodel_without_a_way_to_call_it_is_refused(tmp_path):
    other = export(tmp_path / "other", called=False, signature="training")
    with pytest.raises(ValueError, match=r"signature 'serving_default'. Received.*\['training'\]"):
        loaded(other, SHAPE)


def test_a_signature_of_several_arguments_is_refused(tmp_path):
    pixels = tf.TensorSpec([None, *SHAPE], tf.float32)

    @tf.function(input_signature=[pixels, pixels])
    def outputs(first, second):
        return {"total": first + second}

    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": outputs})
    with pytest.raises(ValueError, match=r"images alone. Received: arguments .'first', 'second'"):
        loaded(tmp_path, SHAPE)


@pytest.fixture
def served(folder, tmp_path, monkeypatch):
    """A server on this machine that has the network as TensorFlow Hub's has; counts requests."""
    with tarfile.open(tmp_path / "network.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=".")
    content, requests = (tmp_path / "network.tar.gz").read_bytes(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            found = self.path == "/network/1?tf-hub-format=compressed"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(content if found else b"")

        def log_message(self, *arguments):
            """Says nothing."""

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


@pytest.mark.slow
def test_a_handle_is_downloaded_once_and_has_the_hash_of_its_folder(served, folder):
    address, requests = served
    first, second = (downloaded(f"{address}/network/1") for _ in range(2))
    assert first == second and len(requests) == 1
    assert os.environ["TFHUB_CACHE_DIR"] in str(first)
    assert loaded(first, SHAPE).content_hash == loaded(folder, SHAPE).content_hash


@pytest.mark.slow
def test_a_handle_of_nothing_is_said(served):
    address, _ = served
    with pytest.raises(OSError, match="TensorFlow Hub has no http.*network/2 here.*404"):
        downloaded(f"{address}/network/2")


@pytest.mark.parametrize("place, handle", [("https://tfhub.dev/a/1", True), ("gs://a/b", True)])
def test_handles_have_a_scheme(place, handle):
    assert is_handle(place) == handle
    assert not is_handle("folder/inside") and not is_handle("C:\\folder")


def test_what_is_caught_does_not_hide_mistakes_of_ours():
    assert not any(issubclass(TypeError, kind) for kind in saved_model._HUB_ERRORS)
