"""A compiled model as a Python object: `hcc build -o NAME.so`, loaded through the C interface.

Needs the standard library alone; arrays are ctypes arrays over the model's own memory, which numpy
and torch read in place (`numpy.ctypeslib.as_array`).
"""

import ctypes
import json
import os
import sys
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_void_p

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

SHAKESPEARE = os.path.join(harness.ROOT, "examples", "shakespeare.hc")


class Error(ctypes.Structure):
    _fields_ = [("status", c_int32), ("message", c_char * 508)]


class Options(ctypes.Structure):
    _fields_ = [("threads", c_int32), ("samples", c_int64), ("positions", c_int64)]


class ParameterView(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("group", c_char_p), ("data", c_void_p),
                ("gradient", c_void_p), ("count", c_int64), ("rank", c_int32),
                ("dims", c_int64 * 8), ("frozen", c_int32)]


class InputView(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("is_integer", c_int32), ("is_target", c_int32),
                ("limit", c_int64), ("count", c_int64), ("by_sample", c_int32),
                ("by_position", c_int32), ("rank", c_int32), ("dims", c_int64 * 8),
                ("has_gradient", c_int32), ("has_beside", c_int32),
                ("space", c_int32)]


class View(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("count", c_int64), ("rank", c_int32), ("dims", c_int64 * 8)]


CONTEXT = c_void_p
ARGUMENTS = {  # results are a status where nothing else is said
    "process_init": (None, []),
    "create": (c_int32, [POINTER(Options), POINTER(CONTEXT), POINTER(Error)]),
    "destroy": (None, [CONTEXT]),
    "last_error": (c_char_p, [CONTEXT]),
    "resize": (c_int32, [CONTEXT, c_int64, c_int64]),
    "resize_space": (c_int32, [CONTEXT, c_int64, c_int64]),
    "samples": (c_int64, [CONTEXT]),
    "positions": (c_int64, [CONTEXT]),
    "element_size": (ctypes.c_uint32, [CONTEXT]),
    "parameter_count": (c_int64, [CONTEXT]),
    "parameter": (c_int32, [CONTEXT, c_int64, POINTER(ParameterView)]),
    "init": (c_int32, [CONTEXT, ctypes.c_uint64]),
    "input_count": (c_int64, [CONTEXT]),
    "input": (c_int32, [CONTEXT, c_int64, POINTER(InputView)]),
    "set_input": (c_int32, [CONTEXT, c_char_p, c_void_p, c_int64]),
    "set_training": (None, [CONTEXT, c_int32]),
    "parameters_unchanged": (None, [CONTEXT]),
    "forward": (c_int32, [CONTEXT]),
    "loss": (c_int32, [CONTEXT, POINTER(c_double)]),
    "backward": (c_int32, [CONTEXT]),
    "forward_backward": (c_int32, [CONTEXT]),
    "output": (c_int32, [CONTEXT, c_char_p, POINTER(View)]),
    "extend_refused": (c_char_p, [CONTEXT]),
    "extend": (c_int32, [CONTEXT, c_int64, c_int64]),
    "extended_logits": (c_int32, [CONTEXT, POINTER(View)]),
    "step": (c_int32, [CONTEXT, c_double]),
    "gradient_norm": (c_double, [CONTEXT]),
    "schedule_lr": (c_double, [CONTEXT, c_int64]),
    "save": (c_int32, [CONTEXT, c_char_p]),
    "load": (c_int32, [CONTEXT, c_char_p]),
    "set_recipe": (c_int32, [CONTEXT, c_char_p, c_char_p]),
}


class Failure(Exception):
    pass


class Parameter:
    """`data` and `gradient`: flat arrays over the model's memory."""

    def __init__(self, view, real):
        self.dims = list(view.dims[: view.rank])
        self.data = (real * view.count).from_address(view.data)
        self.gradient = (real * view.count).from_address(view.gradient)


class Model:
    def __init__(self, path, samples=0, positions=0, threads=1):
        with open(os.path.splitext(path)[0] + ".manifest.json", encoding="utf-8") as file:
            self.manifest = json.load(file)
        self.library = ctypes.CDLL(path)
        for name, (result, arguments) in ARGUMENTS.items():
            function = getattr(self.library, f"{self.manifest['model']}_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, "c_" + name, function)
        self.c_process_init()
        self.context, error = CONTEXT(), Error()
        options = Options(threads, samples, positions)
        if self.c_create(byref(options), byref(self.context), byref(error)):
            raise Failure(error.message.decode())
        self.real = c_double if self.c_element_size(self.context) == 8 else c_float
        self.parameters = {}
        for k in range(self.c_parameter_count(self.context)):
            view = ParameterView()
            self.check(self.c_parameter(self.context, k, byref(view)))
            self.parameters[view.name.decode()] = Parameter(view, self.real)

    def check(self, status):
        if status:
            raise Failure(f"status {status}: {self.c_last_error(self.context).decode()}")

    def close(self):
        self.c_destroy(self.context)
        self.context = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def init(self, seed):
        self.check(self.c_init(self.context, seed))

    def resize(self, samples, positions):
        self.check(self.c_resize(self.context, samples, positions))

    def resize_space(self, space, positions):
        self.check(self.c_resize_space(self.context, space, positions))

    def set_input(self, name, values):
        """A flat list of integers or of numbers, as the input wants."""
        view, integer = InputView(), None
        for k in range(self.c_input_count(self.context)):
            self.check(self.c_input(self.context, k, byref(view)))
            if view.name.decode() == name:
                integer = view.is_integer
        if integer is None:
            raise Failure(f"no input `{name}`")
        memory = ((c_int32 if integer else self.real) * len(values))(*values)
        self.check(self.c_set_input(self.context, name.encode(), memory, len(values)))

    def training(self, on):
        self.c_set_training(self.context, int(on))

    def forward(self):
        """The loss."""
        self.check(self.c_forward(self.context))
        return self.loss()

    def loss(self):
        loss = c_double()
        self.check(self.c_loss(self.context, byref(loss)))
        return loss.value

    def forward_backward(self):
        self.check(self.c_forward_backward(self.context))

    def backward(self):
        self.check(self.c_backward(self.context))

    def step(self, rate=-1.0):
        self.check(self.c_step(self.context, rate))

    def output(self, name):
        """A copy: (flat list, dims)."""
        view = View()
        self.check(self.c_output(self.context, name.encode(), byref(view)))
        return list((self.real * view.count).from_address(view.data)), list(view.dims[: view.rank])

    def save(self, path):
        self.check(self.c_save(self.context, path.encode()))

    def load(self, path):
        self.check(self.c_load(self.context, path.encode()))

    def recipe(self, key, value):
        self.check(self.c_set_recipe(self.context, key.encode(), str(value).encode()))


def settings(**constants):
    """Keywords as `--set` options; `train__lr=...` is `train.lr`."""
    return [word for name, value in constants.items()
            for word in ("--set", f"{name.replace('__', '.')}={value}")]


def build(path, *arguments, file=SHAKESPEARE, f64=False, **constants):
    """Builds the shared library `path` and returns it; AssertionError with hcc's words otherwise."""
    result = harness.hcc("build", file, "-o", path, *settings(**constants), *arguments,
                         *(["--precision", "f64"] if f64 else []))
    if result.code:
        raise AssertionError(f"hcc build: {result!r}")
    return path
