/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright the Signet authors */
#pragma once

/* A certificate and the authority whose revocation lists are in the corpus: serial number 4711, valid to 2055. */

static const char crl_fuzz_certs[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBnDCCAUKgAwIBAgICEmcwCgYIKoZIzj0EAwIwHDEaMBgGA1UEAwwRRXhhbXBs\n"
	"ZSBBdXRob3JpdHkwIBcNMjMwMTAxMDAwMDAwWhgPMjA1NTAxMDEwMDAwMDBaMB4x\n"
	"HDAaBgNVBAMME3Jldm9rZWQuZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggqhkjO\n"
	"PQMBBwNCAAR3UoISbLpq5Rebjwjlf0ArTFqTsN6h3wvlUyfmGH+Wfb8bw5ikgiNW\n"
	"TJvOLIH3GPnEVqvjvbG7JHVvrpAuKCelo3AwbjAMBgNVHRMBAf8EAjAAMB0GA1Ud\n"
	"DgQWBBTstAQi5madUq13I7fj6bh7pVUQADAfBgNVHSMEGDAWgBQ7u7qERovNGY0j\n"
	"G7+y32Td63fh4jAeBgNVHREEFzAVghNyZXZva2VkLmV4YW1wbGUub3JnMAoGCCqG\n"
	"SM49BAMCA0gAMEUCIQCuGDBnWiQciGIMJJ1LHFWk1c+SFuviRPXej5xDY+Gl9AIg\n"
	"EWBOfGqMA/yFEzrrU7QEJf0Q+REgjJ9frLrwvjqf5lE=\n"
	"-----END CERTIFICATE-----\n"
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBfjCCASSgAwIBAgIUf1MLNCmGVgQ9iGtMs09uNuUZ920wCgYIKoZIzj0EAwIw\n"
	"HDEaMBgGA1UEAwwRRXhhbXBsZSBBdXRob3JpdHkwIBcNMjMwMTAxMDAwMDAwWhgP\n"
	"MjA1NTAxMDEwMDAwMDBaMBwxGjAYBgNVBAMMEUV4YW1wbGUgQXV0aG9yaXR5MFkw\n"
	"EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpq4xvjChuMD5mpyGMX8KT8Defyq43Qe9\n"
	"yIDqCWv6nmTft5fVUINeH/qEnbhIOFB/CGcAVbrXAHSe1R+kCMapzqNCMEAwDwYD\n"
	"VR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUO7u6hEaLzRmNIxu/st9k3et34eIwDgYD\n"
	"VR0PAQH/BAQDAgEGMAoGCCqGSM49BAMCA0gAMEUCIQC8S6gRUdLcwWEroEKGdABm\n"
	"12qeexKz6YlpfRi+DXfDHwIgTay+v73rU9raqyp8wn2njEREaqTF/lfGW1feNIma\n"
	"Bww=\n"
	"-----END CERTIFICATE-----\n";
