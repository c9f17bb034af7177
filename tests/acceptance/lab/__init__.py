"""Independent servers, written from the specification alone, that Lapsewatch is tried on."""
