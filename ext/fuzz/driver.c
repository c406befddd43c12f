/* libFuzzer driver.
 *
 * Python is started once; DNSCAP_FUZZ_ENTRY ("module:attribute") names the target.  A target is a capsule
 * that holds a C function, called without making any Python object for the input, or a Python callable that
 * is given a read-only memoryview.  An exception is a finding: it is printed and the process aborts, so that
 * libFuzzer keeps the input.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*entry_function)(const uint8_t *data, size_t size);

static entry_function entry;
static PyObject *callable;

static void fail(const char *what)
{
    fprintf(stderr, "fuzz driver: %s\n", what);
    if (Py_IsInitialized() && PyErr_Occurred())
        PyErr_Print();
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *python = getenv("DNSCAP_FUZZ_PYTHON");
    const char *where = getenv("DNSCAP_FUZZ_ENTRY");
    char module_name[256];
    const char *colon = where ? strchr(where, ':') : NULL;

    if (!python || !colon || (size_t)(colon - where) >= sizeof module_name)
        fail("start it through ext/fuzz/run.py");
    memcpy(module_name, where, (size_t)(colon - where));
    module_name[colon - where] = '\0';

    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.install_signal_handlers = 0; /* libFuzzer has its own */
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, python);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        fail(status.err_msg ? status.err_msg : "Python does not start");

    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *found = module ? PyObject_GetAttrString(module, colon + 1) : NULL;
    Py_XDECREF(module);
    if (!found)
        fail("no such entry");
    if (PyCapsule_IsValid(found, "fuzz.entry"))
        entry = (entry_function)PyCapsule_GetPointer(found, "fuzz.entry");
    else if (PyCallable_Check(found))
        callable = found;
    else
        fail("the entry is neither a capsule of an entry nor callable");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (entry) {
        if (entry(data, size) < 0)
            fail("the target raised");
        return 0;
    }
    PyObject *view = PyMemoryView_FromMemory((char *)data, (Py_ssize_t)size, PyBUF_READ);
    PyObject *result = view ? PyObject_CallOneArg(callable, view) : NULL;
    if (!result)
        fail("the target raised");
    Py_DECREF(result);
    Py_DECREF(view);
    return 0;
}
