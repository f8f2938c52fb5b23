using System.Diagnostics;

namespace PgBackup.TestServers.Proxy;

/// <summary>What a request does, told from its method and query.</summary>
public enum S3Operation
{
    /// <summary>Something else.</summary>
    Other,

    /// <summary>GET of an object.</summary>
    GetObject,

    /// <summary>HEAD of an object.</summary>
    HeadObject,

    /// <summary>PUT of a whole object.</summary>
    PutObject,

    /// <summary>PUT with a source to copy from, whole or a part.</summary>
    CopyObject,

    /// <summary>DELETE of an object.</summary>
    DeleteObject,

    /// <summary>POST of a batch of deletions.</summary>
    DeleteObjects,

    /// <summary>A page of a listing.</summary>
    ListObjects,

    /// <summary>A page of the unfinished uploads.</summary>
    ListUploads,

    /// <summary>The parts of an unfinished upload.</summary>
    ListParts,

    /// <summary>The begin of an upload in parts.</summary>
    CreateUpload,

    /// <summary>A part.</summary>
    UploadPart,

    /// <summary>The end of an upload in parts.</summary>
    CompleteUpload,

    /// <summary>The end of an upload that is given up.</summary>
    AbortUpload,
}

/// <summary>A request that passed the proxy.</summary>
public sealed class ProxyRequest
{
    private readonly HttpHead _head;

    internal ProxyRequest(HttpHead head, int number)
    {
        _head = head;
        Number = number;
        string[] line = head.StartLine.Split(' ');
        Method = line[0];
        string target = line[1];
        int query = target.IndexOf('?');
        Path = query < 0 ? target : target[..query];
        Query = query < 0 ? "" : target[(query + 1)..];
        Operation = Classify();
        Started = Stopwatch.GetTimestamp();
    }

    /// <summary>Its number, in the order in which requests came, from 1.</summary>
    public int Number { get; }

    /// <summary>The method.</summary>
    public string Method { get; }

    /// <summary>The path as it came, escaped.</summary>
    public string Path { get; }

    /// <summary>The query as it came, without its question mark.</summary>
    public string Query { get; }

    /// <summary>What it does.</summary>
    public S3Operation Operation { get; }

    /// <summary>The status that the client was answered; 0 while it was not.</summary>
    public int Status { get; internal set; }

    /// <summary>The length that the request says its body has; 0 for none.</summary>
    public long ContentLength => _head.ContentLength ?? 0;

    /// <summary>When it came, as <see cref="Stopwatch.GetTimestamp"/> tells it.</summary>
    internal long Started { get; }

    /// <summary>A header's value; null when it is not there.</summary>
    public string? Header(string name) => _head[name];

    /// <summary>A parameter of the query, unescaped; null when it is not there.</summary>
    public string? Parameter(string name)
    {
        foreach (string pair in Query.Split('&'))
        {
            int equals = pair.IndexOf('=');
            if ((equals < 0 ? pair : pair[..equals]) == name)
                return equals < 0 ? "" : Uri.UnescapeDataString(pair[(equals + 1)..]);
        }
        return null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Number} {Method} {Path}{(Query.Length > 0 ? "?" : "")}{Query} -> {Status}";

    private S3Operation Classify()
    {
        // Buckets stand in the path: /bucket or /bucket/key.
        bool ofBucket = Path.TrimStart('/').TrimEnd('/').IndexOf('/') < 0;
        bool hasUpload = Parameter("uploadId") is not null;
        return Method switch
        {
            "GET" when ofBucket => Parameter("uploads") is not null ? S3Operation.ListUploads
                : Query.Length == 0 || Parameter("list-type") is not null || Parameter("prefix") is not null ? S3Operation.ListObjects : S3Operation.Other,
            "GET" => hasUpload ? S3Operation.ListParts : S3Operation.GetObject,
            "HEAD" when !ofBucket => S3Operation.HeadObject,
            "PUT" when !ofBucket => Header("x-amz-copy-source") is not null ? S3Operation.CopyObject : hasUpload ? S3Operation.UploadPart : S3Operation.PutObject,
            "DELETE" when !ofBucket => hasUpload ? S3Operation.AbortUpload : S3Operation.DeleteObject,
            "POST" when ofBucket && Parameter("delete") is not null => S3Operation.DeleteObjects,
            "POST" when Parameter("uploads") is not null => S3Operation.CreateUpload,
            "POST" when hasUpload => S3Operation.CompleteUpload,
            _ => S3Operation.Other,
        };
    }
}
