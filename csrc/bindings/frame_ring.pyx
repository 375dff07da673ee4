# cython: language_level=3, binding=False, boundscheck=True, wraparound=False, embedsignature=True
"""Python face of io/frame_channel.hpp and core/memory/frame_pool.hpp; use the typed module mediacore.ring.

A ring of Python objects keeps them in a list, a token is an index into it + 1, and both change only with the GIL. A ring
with a pool carries handles of the pool's slots: then its other side may be a native thread, which needs no GIL. One side is
always one thread at a time: in Python the GIL sees to that, except while a push waits for room; so one push waits at a time.
Python code can run in the middle of a method only where Python objects are made or dropped: before the ring is looked at,
or when nothing that it said is needed any more.
"""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_FillInfo
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cython.operator cimport dereference
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr
from libcpp.vector cimport vector

from threading import Lock
from types import GenericAlias


cdef extern from "core/memory/frame_ring.hpp" namespace "mediacore::memory" nogil:
    const uint64_t kNoToken
    const size_t kMaxCapacity
    const size_t kMaxSlots
    const size_t kCauses

    cdef enum class Policy:
        drop_oldest
        latest
        block

    cdef enum class Cause:
        overflow
        deadline
        closed
        pool_exhausted

    cdef cppclass RingCounts:
        uint64_t pushed
        uint64_t delivered
        uint64_t queued
        uint64_t dropped[4]

    cdef enum class Fate "mediacore::memory::FrameRing::Fate":
        taken
        full
        refused

    cdef cppclass Pushed "mediacore::memory::FrameRing::Pushed":
        Fate fate
        uint64_t back

    cdef cppclass Ring "mediacore::memory::FrameRing":
        RingCounts counts()
        size_t capacity()


cdef extern from "core/memory/frame_pool.hpp" namespace "mediacore::memory" nogil:
    cdef cppclass FrameInfo:
        uint32_t width
        uint32_t height
        uint32_t stride
        cbool bt601
        int64_t pts_us
        size_t bytes()

    cdef cppclass Span "std::span<std::uint8_t>":
        uint8_t* data()

    cdef cppclass NativeLease "mediacore::memory::Lease":
        uint64_t give()

    cdef cppclass NativePool "mediacore::memory::FramePool":
        @staticmethod
        cbool valid(size_t, size_t)
        NativePool(size_t, size_t) except +
        NativeLease acquire()
        size_t slots()
        size_t slot_bytes()
        size_t in_use()
        uint64_t exhausted()
        cbool release(uint64_t)
        Span data(uint64_t)
        FrameInfo& info(uint64_t)


cdef extern from "io/frame_channel.hpp" namespace "mediacore::io" nogil:
    cdef enum class Woken "mediacore::io::Doorbell::Woken":
        rung
        late
        interrupted

    cdef cppclass Doorbell:
        int descriptor()
        void arm()
        void disarm()
        void drain()

    cdef cppclass FrameChannel:
        FrameChannel(size_t, Policy, shared_ptr[NativePool]) except +
        Pushed push(uint64_t)
        void count_dropped(Cause)
        uint64_t pop()
        Woken wait_for_room(int64_t)
        void close()
        cbool closed()
        cbool ready()
        Doorbell& tokens()
        const Ring& ring()


cdef extern from "io/clock.hpp" namespace "mediacore::io" nogil:
    int64_t monotonic_us()


cdef double FOREVER_S = 4e9  # some 127 years: in microseconds it still fits
cdef dict POLICIES = {"drop-oldest": Policy.drop_oldest, "latest": Policy.latest, "block": Policy.block}
cdef const char* CHANNEL = "mediacore.io.FrameChannel"


cdef int64_t deadline_of(object timeout_s) except -1:
    if timeout_s is None:
        return INT64_MAX
    cdef double seconds = timeout_s
    if seconds != seconds:
        raise ValueError("timeout_s is not a number")
    return monotonic_us() + <int64_t>(max(0.0, min(seconds, FOREVER_S)) * 1e6)


cdef class Block:
    """A slot of a FramePool, as a buffer: one I420 picture. It goes back to the pool with the last view of it."""

    cdef shared_ptr[NativePool] _pool
    cdef uint64_t _handle
    cdef bint _readonly
    cdef Py_ssize_t _views

    def __init__(self):
        raise TypeError("a Block comes from FramePool.acquire")

    def __dealloc__(self):
        if self._handle != kNoToken:
            self._pool.get().release(self._handle)

    cdef FrameInfo* _info(self) except NULL:
        if self._handle == kNoToken:
            raise ValueError("the block was pushed: it belongs to the ring now")
        return &self._pool.get().info(self._handle)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        cdef FrameInfo* info = self._info()
        PyBuffer_FillInfo(buffer, self, self._pool.get().data(self._handle).data(), <Py_ssize_t>info.bytes(),
                          self._readonly, flags)
        self._views += 1

    def __releasebuffer__(self, Py_buffer* buffer):
        self._views -= 1

    @property
    def width(self):
        return self._info().width

    @property
    def height(self):
        return self._info().height

    @property
    def stride(self):
        return self._info().stride

    @property
    def matrix(self):
        return "bt601" if self._info().bt601 else "bt709"

    @property
    def pts_us(self):
        return self._info().pts_us


cdef Block new_block(shared_ptr[NativePool] pool, uint64_t handle, bint readonly):
    cdef Block block = Block.__new__(Block)
    block._pool = pool
    block._handle = handle
    block._readonly = readonly
    return block


cdef class FramePool:
    """FramePool(slots, slot_bytes): memory of pictures that is used again and again."""

    cdef shared_ptr[NativePool] _pool

    def __cinit__(self, Py_ssize_t slots, Py_ssize_t slot_bytes):
        if slots < 1 or slot_bytes < 1 or not NativePool.valid(<size_t>slots, <size_t>slot_bytes):
            raise ValueError(f"{slots} slots of {slot_bytes} bytes: there may be 1 to {kMaxSlots}, of 4 GiB in all")
        self._pool = make_shared[NativePool](<size_t>slots, <size_t>slot_bytes)

    def acquire(self, uint32_t width, uint32_t height, *, str matrix="bt709", int64_t pts_us=0):
        cdef FrameInfo info
        if not (0 < width <= 65536 and 0 < height <= 65536):
            raise ValueError(f"{width}x{height} is no size of a picture")
        if matrix not in ("bt709", "bt601"):
            raise ValueError(f"matrix is {matrix!r}, it must be bt709 or bt601")
        info.width = width
        info.height = height
        info.stride = (width + 1) // 2 * 2
        info.bt601 = matrix == "bt601"
        info.pts_us = pts_us
        if info.bytes() > self._pool.get().slot_bytes():
            raise ValueError(f"{width}x{height} takes {info.bytes()} bytes, a slot has {self._pool.get().slot_bytes()}")
        cdef uint64_t handle = self._pool.get().acquire().give()
        if handle == kNoToken:
            return None
        cdef FrameInfo* slot = &self._pool.get().info(handle)
        slot[0] = info
        return new_block(self._pool, handle, False)

    @property
    def slots(self):
        return self._pool.get().slots()

    @property
    def slot_bytes(self):
        return self._pool.get().slot_bytes()

    @property
    def in_use(self):
        return self._pool.get().in_use()

    @property
    def exhausted(self):
        return self._pool.get().exhausted()


cdef void forget_channel(object capsule) noexcept:
    cdef shared_ptr[FrameChannel]* kept = <shared_ptr[FrameChannel]*>PyCapsule_GetPointer(capsule, CHANNEL)
    del kept


cdef class Channel:
    """What both kinds of rings have."""

    cdef shared_ptr[FrameChannel] _channel
    cdef object _turn  # of the one push that waits for room
    cdef bint _asleep  # somebody waits for frames
    # Of mediacore.ring: the future that a coroutine waits for, and the loop that watches the descriptor.
    cdef public object _woken
    cdef public object _watching

    cdef int _make(self, Py_ssize_t capacity, str policy, shared_ptr[NativePool] pool) except -1:
        if not 1 <= capacity <= <Py_ssize_t>kMaxCapacity:
            raise ValueError(f"capacity is {capacity}, it must be 1 to {kMaxCapacity}")
        if policy not in POLICIES:
            raise ValueError(f"policy is {policy!r}, it must be one of {', '.join(POLICIES)}")
        cdef Policy which = <Policy><int>POLICIES[policy]
        self._channel = make_shared[FrameChannel](<size_t>capacity, which, pool)
        self._turn = Lock()
        return 0

    cdef int _push(self, uint64_t token, object timeout_s, Pushed* pushed) except -1:
        """What was not taken is counted. If it raises, it was not taken and not counted."""
        pushed[0] = self._channel.get().push(token)
        if pushed.fate == Fate.full:
            self._push_when_there_is_room(token, timeout_s, pushed)
        return 0

    cdef int _push_when_there_is_room(self, uint64_t token, object timeout_s, Pushed* pushed) except -1:
        cdef int64_t deadline_us = deadline_of(timeout_s)
        cdef FrameChannel* channel = self._channel.get()
        cdef Woken woken
        if not self._turn.acquire(timeout=-1 if timeout_s is None else max(0.0, (deadline_us - monotonic_us()) / 1e6)):
            channel.count_dropped(Cause.deadline)
            return 0
        try:
            while pushed.fate == Fate.full:
                with nogil:
                    woken = channel.wait_for_room(deadline_us)
                PyErr_CheckSignals()
                pushed[0] = channel.push(token)
                if pushed.fate == Fate.full and woken == Woken.late:
                    channel.count_dropped(Cause.deadline)
                    break
        finally:
            self._turn.release()
        return 0

    def close(self):
        self._channel.get().close()

    @property
    def closed(self):
        return self._channel.get().closed()

    @property
    def capacity(self):
        return self._channel.get().ring().capacity()

    def _counts(self):
        """(pushed, delivered, queued, dropped by Cause)"""
        cdef RingCounts counts = self._channel.get().ring().counts()
        return counts.pushed, counts.delivered, counts.queued, [counts.dropped[cause] for cause in range(kCauses)]

    @property
    def _descriptor(self):
        return self._channel.get().tokens().descriptor()

    def _arm(self):
        """True: sleep until the descriptor is readable, then `_disarm`. False: there is something to see."""
        if self._asleep:
            raise RuntimeError("somebody else waits for this ring's frames: a ring has one consumer")
        self._channel.get().tokens().arm()
        if not self._channel.get().ready():
            self._asleep = True
            return True
        self._channel.get().tokens().disarm()
        return False

    def _disarm(self):
        self._asleep = False
        self._channel.get().tokens().disarm()

    def _drain(self):
        """To be done before the ring is looked at: then no wake-up is lost."""
        self._channel.get().tokens().drain()

    def _capsule(self):
        """The channel for a native thread: a std::shared_ptr<mediacore::io::FrameChannel>*."""
        return PyCapsule_New(new shared_ptr[FrameChannel](self._channel), CHANNEL, forget_channel)


cdef class FrameRing(Channel):
    """FrameRing(capacity, policy="drop-oldest"): Python objects."""

    @classmethod
    def __class_getitem__(cls, item):
        """Only for annotations: FrameRing[Frame]."""
        return GenericAlias(cls, item)

    cdef list _values  # by token - 1; None where the slot is free
    cdef vector[uint64_t] _free  # free slots; always has room for all, so that freeing one cannot fail

    def __cinit__(self, Py_ssize_t capacity, str policy="drop-oldest"):
        self._values = []
        self._make(capacity, policy, shared_ptr[NativePool]())

    cdef uint64_t _fill_slot(self, object value) except *:
        cdef uint64_t slot = <uint64_t>len(self._values)
        if self._free.empty():
            if self._free.capacity() <= slot:
                self._free.reserve(2 * slot + 16)
            self._values.append(value)
        else:
            slot = self._free.back()
            self._free.pop_back()
            self._values[slot] = value
        return slot + 1

    cdef object _clear_slot(self, uint64_t token):
        value = self._values[token - 1]
        self._values[token - 1] = None
        self._free.push_back(token - 1)
        return value

    def push(self, frame not None, *, timeout_s=None):
        cdef uint64_t token = self._fill_slot(frame)
        cdef Pushed pushed
        try:
            self._push(token, timeout_s, &pushed)
        except BaseException:
            self._clear_slot(token)
            raise
        return None if pushed.back == kNoToken else self._clear_slot(pushed.back)

    def pop(self):
        cdef uint64_t token = self._channel.get().pop()
        return None if token == kNoToken else self._clear_slot(token)


cdef class BlockRing(Channel):
    """BlockRing(capacity, policy, pool): slots of a pool."""

    cdef shared_ptr[NativePool] _pool

    def __cinit__(self, Py_ssize_t capacity, str policy, FramePool pool not None):
        self._pool = pool._pool
        self._make(capacity, policy, pool._pool)

    def _push_block(self, Block block not None, timeout_s):
        """False: not taken, and the block is as it was."""
        block._info()
        if block._pool.get() != self._pool.get():
            raise ValueError("the block is another pool's")
        if block._views != 0:
            raise BufferError("somebody has a view of the block and could still write to it")
        if block._readonly:
            raise ValueError("the block came from a ring: it may have other readers")
        cdef uint64_t token = block._handle
        block._handle = kNoToken  # the ring's, from before the consumer can have it
        cdef Pushed pushed
        try:
            self._push(token, timeout_s, &pushed)
        except BaseException:
            block._handle = token
            raise
        if pushed.back == token:
            block._handle = token
            return False
        if pushed.back != kNoToken:
            self._pool.get().release(pushed.back)
        return True

    def _pop_block(self):
        cdef uint64_t token = self._channel.get().pop()
        return None if token == kNoToken else new_block(self._pool, token, True)

    def count_exhausted(self):
        """Counts a frame that there was no block for."""
        self._channel.get().count_dropped(Cause.pool_exhausted)
