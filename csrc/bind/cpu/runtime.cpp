// The runtime: ISA, threads, memory pool.
#include "bind/cpu/bind.h"
#include "cpu/runtime/memory_pool.h"
#include "cpu/runtime/threads.h"

namespace lamina::bind::runtime_op {

/// A NumPy array over a block of the pool; the capsule that is its base gives the block back.
static py::object new_array(int ndim, const Py_intptr_t* sizes, PyObject* descr) {
  static auto& api = py::detail::npy_api::get();
  const char kind = py::detail::array_descriptor_proxy(descr)->kind;
  if (kind == 'O' || ((kind == 'V' || kind == 'T') && py::handle(descr).attr("hasobject").cast<bool>()))
    throw py::type_error("empty: object arrays are not pooled");
  int64_t bytes = py::reinterpret_borrow<py::dtype>(descr).itemsize();
  for (int i = 0; i < ndim; ++i)
    if (__builtin_mul_overflow(bytes, int64_t(sizes[i]), &bytes))
      throw py::value_error("empty: the number of bytes overflows");
  void* block;
  try {
    block = MemoryPool::instance().allocate(size_t(bytes));
  } catch (const std::bad_alloc&) {
    PyErr_Format(PyExc_MemoryError, "empty: cannot allocate %lld bytes", static_cast<long long>(bytes));
    throw py::error_already_set();
  }
  PyObject* capsule = PyCapsule_New(
      block, nullptr, [](PyObject* c) { MemoryPool::instance().release(PyCapsule_GetPointer(c, nullptr)); });
  if (!capsule) {
    MemoryPool::instance().release(block);
    throw py::error_already_set();
  }
  Py_INCREF(descr);  // NewFromDescr takes it
  PyObject* array = api.PyArray_NewFromDescr_(api.PyArray_Type_, descr, ndim, sizes, nullptr, block,
                                              py::detail::npy_api::NPY_ARRAY_WRITEABLE_, nullptr);
  if (!array) {
    Py_DECREF(capsule);
    throw py::error_already_set();
  }
  if (api.PyArray_SetBaseObject_(array, capsule) < 0) {  // takes the capsule
    Py_DECREF(array);
    throw py::error_already_set();
  }
  return py::reinterpret_steal<py::object>(array);
}

static py::object empty(const py::object& shape, const py::object& dtype) {
  static PyObject* const float32 = py::dtype::of<float>().release().ptr();
  constexpr int MOST = 32;
  Py_intptr_t sizes[MOST];
  int ndim = 0;
  const auto add = [&](PyObject* item) {
    if (ndim == MOST) throw py::value_error("empty: more than 32 dimensions");
    const Py_ssize_t size = PyNumber_AsSsize_t(item, PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (size < 0) throw py::value_error("empty: negative size " + std::to_string(size));
    sizes[ndim++] = size;
  };
  if (PyTuple_CheckExact(shape.ptr()))
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(shape.ptr()); ++i) add(PyTuple_GET_ITEM(shape.ptr(), i));
  else if (PyIndex_Check(shape.ptr()))
    add(shape.ptr());
  else
    for (py::handle size : shape) add(size.ptr());
  if (dtype.is_none()) return new_array(ndim, sizes, float32);
  if (py::isinstance<py::dtype>(dtype)) return new_array(ndim, sizes, dtype.ptr());
  return new_array(ndim, sizes, py::dtype::from_args(dtype).ptr());
}

static py::object empty_like(const py::array& array) {
  return new_array(int(array.ndim()), array.shape(), py::detail::array_proxy(array.ptr())->descr);
}

/// The array itself if kernels can read it, else a copy that they can.
static py::object contiguous(const py::array& array) {
  const auto* p = py::detail::array_proxy(array.ptr());
  if ((p->flags & READ) == READ && py::detail::array_descriptor_proxy(p->descr)->byteorder != '>') return array;
  const py::object native = py::reinterpret_borrow<py::object>(p->descr).attr("newbyteorder")("=");
  py::object copy = new_array(int(array.ndim()), array.shape(), native.ptr());
  if (py::detail::npy_api::get().PyArray_CopyInto_(copy.ptr(), array.ptr()) < 0) throw py::error_already_set();
  return copy;
}

static py::dict pool_stats() {
  const MemoryPool::Stats s = MemoryPool::instance().stats();
  py::dict d;
  d["in_use"] = s.in_use;
  d["cached"] = s.cached;
  d["cap"] = s.cap;
  d["allocations"] = s.allocations;
  d["hits"] = s.hits;
  return d;
}

static py::list isas() {
  py::list names;
  for (Isa candidate : {Isa::portable, Isa::v3, Isa::v4})
    if (supported(candidate)) names.append(name_of(candidate));
  return names;
}

static const Registration registration([](py::module_& m) {
  m.def("empty", &empty, py::arg("shape"), py::arg("dtype") = py::none());
  m.def("empty_like", &empty_like, py::arg("array"));
  m.def("contiguous", &contiguous, py::arg("array"));
  m.def("pool_stats", &pool_stats);
  m.def("pool_trim", [](size_t keep) { MemoryPool::instance().trim(keep); }, py::arg("keep") = 0);
  m.def("pool_set_cap", [](size_t bytes) { MemoryPool::instance().set_cap(bytes); }, py::arg("bytes"));
  m.def("isa", [] { return name_of(isa()); });
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("isas", &isas);
  m.def("num_threads", &num_threads);
  m.def(
      "set_num_threads",
      [](int count) {
        py::gil_scoped_release release;  // a running kernel may hold the pool
        set_num_threads(count);
      },
      py::arg("count"));
});

}  // namespace lamina::bind::runtime_op
