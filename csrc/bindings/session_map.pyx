# cython: language_level=3, binding=False, boundscheck=True, wraparound=False, embedsignature=True
"""Python face of core/sessions/session_map.hpp; use the typed module mediacore.sessions.

The values stand in a list, indexed by the handle that the native map holds, and change only with the GIL. It is never
released here: each call is shorter than giving it away and taking it back, and it makes a lookup and the read of the slot
one step. Python code can run in the middle of a method only where Python objects are made or dropped, so both happen
either before the native map is looked at or when nothing that it said is needed any more.
"""

from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from cython.operator cimport dereference
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr
from libcpp.optional cimport optional
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from types import GenericAlias


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef extern from "core/sessions/session_map.hpp" namespace "mediacore::sessions" nogil:
    const uint64_t kAnyGeneration
    const size_t kMaxShards

    cdef struct Entry:
        uint64_t handle
        uint64_t generation

    cdef cppclass PutResult:
        uint64_t generation
        optional[uint64_t] replaced

    cdef cppclass Row "mediacore::sessions::Listing::Row":
        Entry entry

    cdef cppclass Listing:
        const vector[Row]& rows()
        string_view id(const Row&)

    cdef struct ShardStats:
        size_t entries
        uint64_t lookups
        uint64_t changes
        uint64_t contended

    cdef cppclass NativeMap "mediacore::sessions::SessionMap":
        @staticmethod
        cbool valid_shards(size_t)
        NativeMap(size_t) except +
        PutResult put(string_view, uint64_t, int64_t) except +
        optional[Entry] get(string_view) except +
        optional[uint64_t] remove(string_view, uint64_t) except +
        cbool touch(string_view, int64_t) except +
        void snapshot(Listing&) except +
        void expire(int64_t, int64_t, Listing&) except +
        size_t size()
        size_t shards()
        vector[ShardStats] stats() except +
        void reshard(size_t) except +


cdef double FOREVER_S = 4e9  # some 127 years: in nanoseconds it still fits


cdef inline int64_t monotonic_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef inline const char* utf8(object id, Py_ssize_t* size) except NULL:
    if not isinstance(id, str):
        raise TypeError(f"an id is a str, not {type(id).__name__}")
    return PyUnicode_AsUTF8AndSize(id, size)


cdef list build_rows(Listing& listing, vector[PyObject*]& values):
    """A list of (id, generation, value); takes over the references in `values`."""
    cdef list result = []
    cdef size_t index
    cdef string_view id
    try:
        for index in range(listing.rows().size()):
            id = listing.id(listing.rows()[index])
            result.append((
                PyUnicode_DecodeUTF8(id.data(), <Py_ssize_t>id.size(), NULL),
                listing.rows()[index].entry.generation,
                <object>values[index],
            ))
    finally:
        for index in range(values.size()):
            Py_DECREF(<object>values[index])
    return result


cdef const char* CAPSULE = "mediacore.sessions.SessionMap"


cdef void forget_map(object capsule) noexcept:
    cdef shared_ptr[NativeMap]* kept = <shared_ptr[NativeMap]*>PyCapsule_GetPointer(capsule, CAPSULE)
    del kept


cdef size_t checked_shards(Py_ssize_t shards) except 0:
    if shards < 1 or not NativeMap.valid_shards(<size_t>shards):
        raise ValueError(f"shards is {shards}, it must be a power of two up to {kMaxShards}")
    return <size_t>shards


cdef class SessionMap:
    """SessionMap(shards=32): a map from ids to values that native threads can look into without the GIL."""

    cdef shared_ptr[NativeMap] _map
    cdef list _values  # by handle; None where the slot is free
    cdef vector[uint64_t] _free  # free slots; always has room for all, so that freeing one cannot fail
    cdef int64_t _longest_snapshot_ns

    def __cinit__(self, Py_ssize_t shards=32):
        self._map = make_shared[NativeMap](checked_shards(shards))
        self._values = []
        self._longest_snapshot_ns = 0

    cdef uint64_t _fill_slot(self, object value) except *:
        cdef uint64_t slot = <uint64_t>len(self._values)
        if self._free.empty():
            if self._free.capacity() <= slot:
                self._free.reserve(2 * slot + 64)
            self._values.append(value)
        else:
            slot = self._free.back()
            self._free.pop_back()
            self._values[slot] = value
        return slot

    cdef object _clear_slot(self, uint64_t slot):
        value = self._values[slot]
        self._values[slot] = None
        self._free.push_back(slot)
        return value

    def put(self, id, value not None):
        cdef Py_ssize_t size = 0
        cdef const char* text = utf8(id, &size)
        cdef uint64_t slot = self._fill_slot(value)
        cdef PutResult result
        try:
            result = dereference(self._map).put(string_view(text, <size_t>size), slot, monotonic_ns())
        except BaseException:
            self._clear_slot(slot)
            raise
        # Named, so that the old value is dropped when everything is in order again.
        replaced = self._clear_slot(dereference(result.replaced)) if result.replaced.has_value() else None
        return result.generation

    def get(self, id):
        cdef Py_ssize_t size = 0
        cdef const char* text = utf8(id, &size)
        cdef optional[Entry] found = dereference(self._map).get(string_view(text, <size_t>size))
        if not found.has_value():
            return None
        return self._values[dereference(found).handle]

    def remove(self, id, generation=None):
        cdef Py_ssize_t size = 0
        cdef const char* text = utf8(id, &size)
        cdef uint64_t wanted = kAnyGeneration
        if generation is not None:
            if not 1 <= generation <= UINT64_MAX:
                return None  # no entry ever has it
            wanted = generation
        cdef optional[uint64_t] slot = dereference(self._map).remove(string_view(text, <size_t>size), wanted)
        if not slot.has_value():
            return None
        return self._clear_slot(dereference(slot))

    def touch(self, id):
        cdef Py_ssize_t size = 0
        cdef const char* text = utf8(id, &size)
        return dereference(self._map).touch(string_view(text, <size_t>size), monotonic_ns())

    def __contains__(self, id):
        cdef Py_ssize_t size = 0
        cdef const char* text = utf8(id, &size)
        return dereference(self._map).get(string_view(text, <size_t>size)).has_value()

    def __len__(self):
        return <Py_ssize_t>dereference(self._map).size()

    def snapshot(self):
        cdef Listing listing
        cdef vector[PyObject*] values
        values.reserve(dereference(self._map).size())
        cdef int64_t begin_ns = monotonic_ns()
        dereference(self._map).snapshot(listing)
        self._longest_snapshot_ns = max(self._longest_snapshot_ns, monotonic_ns() - begin_ns)
        cdef size_t index
        for index in range(listing.rows().size()):
            value = self._values[listing.rows()[index].entry.handle]
            Py_INCREF(value)
            values.push_back(<PyObject*>value)
        return build_rows(listing, values)

    def expire(self, double idle_s):
        if not idle_s >= 0:
            raise ValueError(f"idle_s is {idle_s}, it must be a number of seconds that is not negative")
        cdef int64_t idle_ns = <int64_t>(min(idle_s, FOREVER_S) * 1e9)
        cdef Listing listing
        cdef vector[PyObject*] values
        values.reserve(dereference(self._map).size())
        cdef size_t index
        try:
            dereference(self._map).expire(monotonic_ns(), idle_ns, listing)
        finally:
            # Also when it ran out of memory half-way: what is gone from the map must not keep its slot.
            for index in range(listing.rows().size()):
                value = self._clear_slot(listing.rows()[index].entry.handle)
                Py_INCREF(value)
                values.push_back(<PyObject*>value)
        return build_rows(listing, values)

    def reshard(self, Py_ssize_t shards):
        dereference(self._map).reshard(checked_shards(shards))

    def capsule(self):
        return PyCapsule_New(new shared_ptr[NativeMap](self._map), CAPSULE, forget_map)

    @property
    def shards(self):
        """Number of shards."""
        return dereference(self._map).shards()

    @property
    def longest_snapshot_us(self):
        """Longest time in µs that one snapshot has held the locks, and so kept native writers waiting."""
        return self._longest_snapshot_ns / 1000

    @classmethod
    def __class_getitem__(cls, item):
        """Only for annotations: SessionMap[Session]."""
        return GenericAlias(cls, item)

    def _shard_stats(self):
        """One dict per shard, as ShardStats in mediacore.sessions."""
        cdef vector[ShardStats] stats = dereference(self._map).stats()
        return [stats[index] for index in range(stats.size())]
