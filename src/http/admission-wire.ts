import { err, ok, type Result } from '../model/result.ts';
import type { JsonPatch } from '../admission/json-patch.ts';

/**
 * The AdmissionReview protocol, `admission.k8s.io/v1`: the form that every API server from 1.16
 * on speaks (kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers).
 */
export interface AdmissionRequest {
  readonly uid: string;
  /** Group and kind, such as `/Pod` or `storage.k8s.io/StorageClass`. */
  readonly kind: string;
  readonly subResource: string;
  readonly operation: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: unknown;
  readonly oldObject: unknown;
}

/** What is answered to one request. */
export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** For the person whose request was refused. */
  readonly message?: string;
  readonly patch?: JsonPatch;
  readonly warnings?: readonly string[];
}

export function allowed(warnings: readonly string[] = []): AdmissionAnswer {
  return { allowed: true, warnings };
}

export function denied(message: string): AdmissionAnswer {
  return { allowed: false, message };
}

export function patched(patch: JsonPatch, warnings: readonly string[] = []): AdmissionAnswer {
  return patch.length === 0 ? allowed(warnings) : { allowed: true, patch, warnings };
}

const version = 'admission.k8s.io/v1';

/** @returns the request, or a text that says which field is wrong and what is allowed there */
export function parseAdmissionReview(body: unknown): Result<AdmissionRequest, string> {
  if (!isRecord(body)) {
    return err('the body is not a JSON object: an AdmissionReview is expected');
  }
  if (body['apiVersion'] !== version || body['kind'] !== 'AdmissionReview') {
    return err(
      `apiVersion and kind are ${show(body['apiVersion'])} and ${show(body['kind'])}: only ${version} AdmissionReview is allowed`,
    );
  }
  const request = body['request'];
  if (!isRecord(request)) {
    return err('request is missing: an object is expected');
  }
  const { uid, operation } = request;
  if (typeof uid !== 'string' || uid === '') {
    return err(`request.uid is ${show(uid)}: a text is expected`);
  }
  if (typeof operation !== 'string') {
    return err(`request.operation is ${show(operation)}: a text is expected`);
  }
  const kind = isRecord(request['kind']) ? request['kind'] : {};
  return ok({
    uid,
    operation,
    kind: `${textOr(kind['group'], '')}/${textOr(kind['kind'], '')}`,
    subResource: textOr(request['subResource'], ''),
    namespace: textOr(request['namespace'], ''),
    name: textOr(request['name'], ''),
    object: request['object'],
    oldObject: request['oldObject'],
  });
}

/**
 * Warnings beyond this length are cut: the API server cuts at 256 characters itself where all
 * of them together are long (apiserver, `warning.AddWarning`).
 */
const maxWarningLength = 256;

export function toAdmissionReview(uid: string, answer: AdmissionAnswer): object {
  const { patch, message, warnings = [] } = answer;
  return {
    apiVersion: version,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: answer.allowed,
      ...(message !== undefined && { status: { code: 403, reason: 'Forbidden', message } }),
      ...(warnings.length > 0 && { warnings: warnings.map((w) => w.slice(0, maxWarningLength)) }),
      ...(patch && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
    },
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

function show(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
