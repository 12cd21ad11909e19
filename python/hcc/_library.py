"""libhcc by ctypes: where it is, and its functions with their types. Calls release the GIL."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from typing import Any

MAX_RANK = 8  # HC_MAX_RANK
MESSAGE = 508


class HcError(Structure):
    _fields_ = [("status", c_int), ("message", ctypes.c_char * MESSAGE)]


class HcOptions(Structure):
    _fields_ = [("threads", c_int32), ("samples", c_int64), ("positions", c_int64)]


class HcParameter(Structure):
    _fields_ = [("name", c_char_p), ("group", c_char_p), ("data", c_void_p), ("gradient", c_void_p),
                ("count", c_int64), ("rank", c_int32), ("dims", c_int64 * MAX_RANK), ("frozen", c_int32)]


class HcInput(Structure):
    _fields_ = [("name", c_char_p), ("is_integer", c_int32), ("is_target", c_int32), ("limit", c_int64),
                ("count", c_int64), ("by_sample", c_int32), ("by_position", c_int32), ("rank", c_int32),
                ("element_size", c_uint32), ("dims", c_int64 * MAX_RANK), ("has_gradient", c_int32), ("has_beside", c_int32),
                ("space", c_int32)]


class HcSpace(Structure):
    _fields_ = [("name", c_char_p), ("positions", c_int64), ("maximum", c_int64)]


class HcView(Structure):
    _fields_ = [("data", c_void_p), ("count", c_int64), ("rank", c_int32), ("element_size", c_uint32),
                ("dims", c_int64 * MAX_RANK)]


class HcResult(Structure):
    _fields_ = [("name", c_char_p), ("count", c_int64), ("by_sample", c_int32), ("by_position", c_int32),
                ("rank", c_int32), ("element_size", c_uint32), ("dims", c_int64 * MAX_RANK), ("takes_gradient", c_int32), ("read_back", c_int32),
                ("space", c_int32)]


class HcApply(Structure):
    _fields_ = [("samples", c_int64), ("positions", c_int64), ("inputs", POINTER(c_void_p)),
                ("input_strides", POINTER(c_int64)), ("parameters", POINTER(c_void_p)), ("results", POINTER(c_void_p)),
                ("result_strides", POINTER(c_int64)), ("saved", c_void_p), ("random_key", c_uint64),
                ("training", c_int32), ("step", c_int64), ("steps", c_int64), ("result_gradients", POINTER(c_void_p)),
                ("result_gradient_strides", POINTER(c_int64)), ("gradients_beside", POINTER(c_void_p)),
                ("gradient_beside_strides", POINTER(c_int64)), ("input_gradients", POINTER(c_void_p)),
                ("input_gradient_strides", POINTER(c_int64)), ("parameter_gradients", POINTER(c_void_p))]


class HcModel(Structure):
    _fields_ = [("abi_version", c_uint32), ("element_size", c_uint32), ("manifest", c_char_p),
                ("manifest_length", c_uint64), ("kernels", c_void_p), ("kernel_count", c_uint64),
                ("manifest_seal", c_uint64), ("sites", POINTER(c_void_p)), ("site_count", c_uint64)]


class HccOptions(Structure):
    _fields_ = [("size", c_uint32), ("no_cache", c_int32), ("model", c_char_p), ("set", POINTER(c_char_p)),
                ("n_set", c_uint64), ("precision", c_char_p), ("cpu", c_char_p), ("memory", c_uint64),
                ("results", POINTER(c_char_p)), ("n_results", c_uint64), ("given", POINTER(c_char_p)),
                ("n_given", c_uint64), ("part", c_char_p), ("site", c_char_p), ("streams_apart", c_int32),
                ("beside", c_int32), ("maps", c_int32), ("connection", c_char_p)]


_module = _context = _model = c_void_p

#: Name: result, arguments. The statuses of hc_* functions are c_int.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "hcc_compile_text": (_module, [c_char_p, c_uint64, c_char_p, POINTER(HccOptions)]),
    "hcc_free": (None, [_module]),
    "hcc_status": (c_int, [_module]),
    "hcc_report": (c_char_p, [_module]),
    "hcc_diagnostics": (c_char_p, [_module]),
    "hcc_message": (c_char_p, [_module]),
    "hcc_model": (_model, [_module]),
    "hcc_maps": (c_int, [_module, c_char_p, c_uint64, POINTER(c_void_p), POINTER(HcError)]),
    "hcc_free_text": (None, [c_void_p]),
    "hcc_version": (c_char_p, []),
    "hc_cpu_count": (c_int32, []),
    "hc_create": (c_int, [_model, POINTER(HcOptions), POINTER(_context), POINTER(HcError)]),
    "hc_site_count": (c_int, [_model, POINTER(c_int64)]),
    "hc_destroy": (None, [_context]),
    "hc_last_error": (c_char_p, [_context]),
    "hc_resize": (c_int, [_context, c_int64, c_int64]),
    "hc_space_count": (c_int64, [_context]),
    "hc_space": (c_int, [_context, c_int64, POINTER(HcSpace)]),
    "hc_resize_space": (c_int, [_context, c_int64, c_int64]),
    "hc_samples": (c_int64, [_context]),
    "hc_positions": (c_int64, [_context]),
    "hc_max_positions": (c_int64, [_context]),
    "hc_threads": (c_int32, [_context]),
    "hc_memory_bytes": (c_uint64, [_context]),
    "hc_parameter_count": (c_int64, [_context]),
    "hc_parameter": (c_int, [_context, c_int64, POINTER(HcParameter)]),
    "hc_init": (c_int, [_context, c_uint64]),
    "hc_input_count": (c_int64, [_context]),
    "hc_input": (c_int, [_context, c_int64, POINTER(HcInput)]),
    "hc_set_input": (c_int, [_context, c_char_p, c_void_p, c_int64]),
    "hc_set_training": (None, [_context, c_int]),
    "hc_training": (c_int, [_context]),
    "hc_parameters_unchanged": (None, [_context]),
    "hc_forward": (c_int, [_context]),
    "hc_loss": (c_int, [_context, POINTER(c_double)]),
    "hc_backward": (c_int, [_context]),
    "hc_forward_backward": (c_int, [_context]),
    "hc_zero_grad": (c_int, [_context]),
    "hc_output": (c_int, [_context, c_char_p, POINTER(HcView)]),
    "hc_extend": (c_int, [_context, c_int64, c_int64]),
    "hc_extended_logits": (c_int, [_context, POINTER(HcView)]),
    "hc_use_ema": (c_int, [_context, c_int]),
    "hc_uses_ema": (c_int, [_context]),
    "hc_result_count": (c_int64, [_context]),
    "hc_result": (c_int, [_context, c_int64, POINTER(HcResult)]),
    "hc_set_result_gradient": (c_int, [_context, c_int64, c_void_p, c_int64]),
    "hc_input_gradient": (c_int, [_context, c_int64, POINTER(HcView)]),
    "hc_apply": (c_int, [_context, POINTER(HcApply)]),
    "hc_apply_backward": (c_int, [_context, POINTER(HcApply)]),
    "hc_saved_bytes": (c_uint64, [_context, c_int64, c_int64]),
    "hc_step": (c_int, [_context, c_double]),
    "hc_project": (c_int, [_context]),
    "hc_steps_done": (c_int64, [_context]),
    "hc_set_steps_done": (c_int, [_context, c_int64]),
    "hc_gradient_norm": (c_double, [_context]),
    "hc_schedule_lr": (c_double, [_context, c_int64]),
    "hc_set_recipe": (c_int, [_context, c_char_p, c_char_p]),
    "hc_save": (c_int, [_context, c_char_p]),
    "hc_load": (c_int, [_context, c_char_p]),
    "hc_save_state": (c_int, [_context, c_char_p]),
    "hc_load_state": (c_int, [_context, c_char_p]),
    "hc_save_checkpoint": (c_int, [_context, c_char_p]),
    "hc_load_checkpoint": (c_int, [_context, c_char_p]),
}

_HERE = os.path.dirname(os.path.abspath(__file__))


def _places() -> list[str]:
    """Where libhcc is: where HCC_LIBRARY says; in this package, as wheels have it; or where the
    system finds it."""
    told = os.environ.get("HCC_LIBRARY")
    if told:
        return [told]
    return [os.path.join(_HERE, "libhcc.so.0"), "libhcc.so.0"]


def _load() -> ctypes.CDLL:
    wrong = []
    for place in _places():
        try:
            library = ctypes.CDLL(place)
        except OSError as error:
            wrong.append(str(error))
            continue
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        return library
    raise ImportError("libhcc cannot be loaded (HCC_LIBRARY may say where it is): " + "; ".join(wrong))


lib = _load()
